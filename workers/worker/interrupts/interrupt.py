"""Interrupting a handler in the main thread: a signal handler raises an error in it."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ....app.exceptions import Cancelled
from ....linux import signal_handlers
from ..state.context_variables import fresh_context

_PACKAGE = __name__.partition(".")[0]
# A module of this package, or a package in it, that has this works in a handler's place.
_MARK = "INTERRUPTIBLE"
# Ignored by default, and used for nothing else; Go's scheduler uses it too.
_ALARM = signal.SIGURG

_HALF_WAY = {"__enter__", "__exit__"}


@dataclass(slots=True, eq=False)
class _Due:
    """An error to raise in one round of the worker, as long as it is wanted."""

    work: int
    error: BaseException
    wanted: Callable[[], bool] = lambda: True


class Interrupts:
    """Raises errors in the main thread, and only while a handler's own code runs there.

    Never in the worker's code around the handler, so that no error escapes; and never in the
    store's code, whose transactions must not be torn. In these cases it tries again a little
    later, and also when the interpreter swallows the error, as in callbacks of the garbage
    collector. SIGUSR2 cancels the handlers that run; each is told once, however often it comes.

    Attributes:
        cancels: How often SIGUSR2 came.
    """

    def __init__(self, later: Callable[[], None]) -> None:
        """`later` has `send` called soon; it must be safe in a signal handler."""
        self._later = later
        self._due: deque[_Due] = deque()
        self._work = 0
        self._cancelled = 0
        self._calling = False
        self._raised: _Due | None = None
        self._tell = sys.unraisablehook
        self.cancels = 0

    def install(self) -> None:
        """Handle SIGUSR2 and SIGURG; call it in the main thread."""
        signal_handlers.install(signal.SIGUSR2, self._cancel)
        signal_handlers.install(_ALARM, lambda _, frame: self._raise_next(frame))
        self._tell, sys.unraisablehook = sys.unraisablehook, self._swallowed

    def begin(self) -> int:
        """Begin a round and return its number; errors for earlier rounds are dropped."""
        self._work += 1
        self._due.clear()
        return self._work

    def ask(
        self, work: int, error: BaseException, wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Raise an error in a round, unless the round is over or the error is not `wanted` by then.

        `wanted` may be called in any thread.
        """
        self._due.append(_Due(work, error, wanted))
        self._later()

    @property
    def pending(self) -> bool:
        """True while an error is still to be raised."""
        return self._next() is not None

    def send(self) -> None:
        """Interrupt the main thread.

        Repeat it while `pending`: a signal just before a system call does not end that call.
        """
        signal.pthread_kill(threading.main_thread().ident or 0, _ALARM)

    def check(self) -> None:
        """Raise the error that is due, if the caller is a handler in the main thread."""
        due = self._next()
        if due is None or not self._calling:
            return
        if threading.current_thread() is threading.main_thread():
            self._due.remove(due)
            try:
                raise due.error
            finally:
                del due  # its traceback has this frame

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a handler in its own context; its code can be interrupted."""
        context = fresh_context()
        self._calling = True
        try:
            return context.run(function, *arguments)
        finally:
            self._calling, self._raised = False, None

    def _next(self) -> _Due | None:
        due = (due for due in list(self._due) if due.work == self._work and due.wanted())
        return next(due, None)

    def _cancel(self, _number: int, frame: FrameType | None) -> None:
        self.cancels += 1
        if self._cancelled != self._work:
            self._cancelled = self._work
            self._due.append(_Due(self._work, Cancelled("the worker was told to end")))
        self._later()
        self._raise_next(frame)

    def _raise_next(self, frame: FrameType | None) -> None:
        due = self._next()
        if due is not None and self._may_raise(frame):
            self._due.remove(due)
            self._raised = due
            try:
                raise due.error
            finally:
                del due  # its traceback has this frame

    def _swallowed(self, what: sys.UnraisableHookArgs) -> None:
        """Raise a swallowed error again later; print those of others as before."""
        if self._raised is not None and what.exc_value is self._raised.error:
            self._due.append(self._raised)
            self._later()
        else:
            self._tell(what)

    def _may_raise(self, frame: FrameType | None) -> bool:
        """True if the innermost frame outside the standard library is the handler's own code."""
        if not self._calling or frame is None or frame.f_code is _CALL:
            return False
        if frame.f_code.co_name in _HALF_WAY and frame.f_globals is vars(contextlib):
            return False
        protected: bool | None = None
        while frame is not None and frame.f_code is not _CALL:
            module = str(frame.f_globals.get("__name__", ""))
            if frame.f_code.co_name == "__del__":
                return False  # the interpreter would print it and go on
            if protected is None and module.partition(".")[0] not in sys.stdlib_module_names:
                protected = is_protected(module)
            frame = frame.f_back
        return frame is not None and not protected


# By its code, not by the frame: asking for a frame is an audit event, for each message.
_CALL = Interrupts.call.__code__


@functools.cache
def is_protected(module: str) -> bool:
    """True for a module whose code must not be interrupted: all of this package, unless marked."""
    parts = module.split(".")
    names = [".".join(parts[: n + 1]) for n in range(len(parts))]
    marked = any(hasattr(sys.modules.get(name), _MARK) for name in names)
    return parts[0] == _PACKAGE and not marked
