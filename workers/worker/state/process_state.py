"""The state of the process, which is restored if a handler has changed it.

The next handler should find the same state as this one did, and the worker itself depends on
its signals. State inside modules is not restored: `sys.modules`, `sys.path`, loggers, the seed
of `random`.
"""

from __future__ import annotations

from collections.abc import Callable

from ....linux.parentage import dying_with_parent
from ....log import standard_streams
from . import interpreter, signals, surroundings
from .quick_look import QuickLook
from .restoring import Restore

# The recursion limit first: the others may need what it allows.
_PARTS: dict[str, Callable[[], Restore]] = {
    "interpreter settings": interpreter.settings,
    "signal handlers": signals.handlers,
    "the signal wakeup descriptor": signals.wakeup_fd,
    "the signal mask": signals.signal_mask,
    "timers": signals.timers,
    "the user": surroundings.user,
    "death with its parent": dying_with_parent,
    "resource limits": surroundings.limits,
    "the working directory": surroundings.working_directory,
    "the umask": surroundings.umask,
    "the environment": surroundings.environment,
    "the locale": interpreter.locale_settings,
    "warning filters": interpreter.warning_filters,
    "standard streams": standard_streams.restorer,
}


class ProcessState:
    """The state of this process as it is now, in the main thread.

    Attributes:
        beyond_repair: What could not be restored: the worker should be replaced.
    """

    def __init__(self) -> None:
        self._parts = [(name, take()) for name, take in _PARTS.items()]
        self._quick = QuickLook()
        self.beyond_repair = ""

    def restore(self, *, quick: bool = False) -> list[str]:
        """Restore what has been changed since; return the names of the parts.

        `quick` leaves what only code in C can have changed for the next time without it.
        """
        changed: list[str] = []
        if quick and self._quick.same():
            return changed
        for name, put_back in self._parts:
            try:
                if put_back():
                    changed.append(name)
            except Exception:  # noqa: BLE001 - the delivery must be settled anyway
                changed.append(name)
                self.beyond_repair = name
        if changed and not self.beyond_repair:
            self._quick.take()  # a stream that had been closed is another now
        self._quick.forget()
        return changed
