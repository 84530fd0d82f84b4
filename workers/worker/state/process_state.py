"""The state of the process, which is restored if a handler has changed it.

The next handler should find the same state as this one did, and the worker itself depends on
its signals. State inside modules is not restored: `sys.modules`, `sys.path`, loggers, the seed
of `random`.
"""

from __future__ import annotations

import contextlib
import gc
import locale
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from ....linux.parentage import dying_with_parent
from ....log import standard_streams
from .quick_look import QuickLook, plain_signal

# Restores one part of the state; True if it had been changed.
Restore = Callable[[], bool]

# faulthandler handles it, not Python: see entry_point.
_STACKS = signal.SIGUSR1.value

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = tuple(
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "CORE", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
)


class BeyondRepair(Exception):
    """It cannot be restored in this process."""


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


def _value(get: Callable[[], Any], put: Callable[[Any], object]) -> Restore:
    before = get()

    def restore() -> bool:
        if get() == before:
            return False
        put(before)
        return True

    return restore


def _attributes(module: object, *names: str) -> Restore:
    before = {name: getattr(module, name) for name in names}

    def restore() -> bool:
        changed = [n for n, value in before.items() if getattr(module, n, None) is not value]
        for name in changed:
            setattr(module, name, before[name])
        return bool(changed)

    return restore


def _working_directory() -> Restore:
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    fd = standard_streams.duplicate(here)
    os.close(here)
    before = _identity(os.stat("."))
    path = os.readlink("/proc/self/cwd") if sys.platform == "linux" else os.getcwd()

    def restore() -> bool:
        if _identity(os.stat(".")) == before:  # also if it has been deleted meanwhile
            return False
        with contextlib.suppress(OSError):
            os.fchdir(fd)
        if _identity(os.stat(".")) != before:  # the descriptor is another file by now
            os.chdir(path)
        return True

    return restore


def _umask() -> Restore:
    before = os.umask(0o077)
    os.umask(before)
    return lambda: os.umask(before) != before


def _environment() -> Restore:
    environ = os.environ
    # The encoded form: decoding it for each message would take as long as everything else.
    encoded: Callable[[], dict[Any, Any]] = (
        (lambda: environ._data) if hasattr(environ, "_data") else lambda: dict(environ)
    )
    raw, before = dict(encoded()), dict(environ)
    zone = environ.get("TZ")

    def restore() -> bool:
        if os.environ is environ and encoded() == raw:
            return False
        os.environ = environ  # noqa: B003 - the object itself
        in_zone = environ.get("TZ")
        for name in [name for name in environ if name not in before]:
            del environ[name]
        environ.update(before)
        if in_zone != zone:
            time.tzset()
        return True

    return restore


def _signals() -> Restore:
    numbers = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    each = [int(number) for number in numbers]
    before = list(map(plain_signal.getsignal, each))

    def restore() -> bool:
        now = list(map(plain_signal.getsignal, each))
        if now == before:
            return False
        for number, was, current in zip(each, before, now, strict=True):
            if current != was:
                signal.signal(number, _nothing if number == _STACKS else was)
        if before[each.index(_STACKS)] != now[each.index(_STACKS)]:
            raise BeyondRepair
        return True

    return restore


def _wakeup_fd() -> Restore:
    before = signal.set_wakeup_fd(-1)

    def restore() -> bool:
        found = signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        return found != before

    signal.set_wakeup_fd(before, warn_on_full_buffer=False)
    return restore


def _signal_mask() -> Restore:
    return _value(
        lambda: plain_signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda before: signal.pthread_sigmask(signal.SIG_SETMASK, before),
    )


def _timers() -> Restore:
    before = [signal.getitimer(timer) for timer in _TIMERS]
    none_runs = before == [(0.0, 0.0)] * len(_TIMERS)

    def restore() -> bool:
        if none_runs and list(map(signal.getitimer, _TIMERS)) == before:
            return False
        changed = False
        for timer, (was_due, interval) in zip(_TIMERS, before, strict=True):
            due, again = signal.getitimer(timer)
            if (again, bool(due)) != (interval, bool(was_due)):
                signal.setitimer(timer, interval, interval)
                changed = True
        return changed

    return restore


def _locale() -> Restore:
    return _value(
        lambda: locale.setlocale(locale.LC_ALL),
        lambda before: locale.setlocale(locale.LC_ALL, before),
    )


def _warnings() -> Restore:
    filters: Any = warnings.filters
    before = list(filters)

    def restore() -> bool:
        if warnings.filters is filters and list(filters) == before:
            return False
        warnings.filters = filters
        warnings.resetwarnings()
        filters[:] = before
        return True

    return restore


def _interpreter() -> Restore:
    parts = [
        _value(gc.isenabled, lambda before: gc.enable() if before else gc.disable()),
        _value(sys.getrecursionlimit, sys.setrecursionlimit),
        _value(sys.getswitchinterval, sys.setswitchinterval),
        _value(sys.gettrace, sys.settrace),
        _value(sys.getprofile, sys.setprofile),
        _value(socket.getdefaulttimeout, socket.setdefaulttimeout),
        _attributes(sys, "excepthook", "unraisablehook"),
        _attributes(threading, "excepthook"),
    ]
    return lambda: any([part() for part in parts])  # noqa: C419 - all of them


def _limits() -> Restore:
    before = list(map(resource.getrlimit, _LIMITS))

    def restore() -> bool:
        now = list(map(resource.getrlimit, _LIMITS))
        if now == before:
            return False
        for limit, was in zip(_LIMITS, before, strict=True):
            try:
                resource.setrlimit(limit, was)
            except (OSError, ValueError) as error:  # the hard limit has been lowered
                raise BeyondRepair from error
        return True

    return restore


def _user() -> Restore:
    def put(before: tuple[tuple[int, int, int], tuple[int, int, int]]) -> None:
        os.setresuid(-1, before[0][1], -1)
        with contextlib.suppress(PermissionError):
            os.setresgid(-1, before[1][1], -1)
        if (os.getresuid(), os.getresgid()) != before:
            raise BeyondRepair

    if not hasattr(os, "getresuid"):
        return _value(os.geteuid, os.seteuid)
    return _value(lambda: (os.getresuid(), os.getresgid()), put)


def _nothing(*_: object) -> None:
    pass


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


# The recursion limit first: the others may need what it allows.
_PARTS: dict[str, Callable[[], Restore]] = {
    "interpreter settings": _interpreter,
    "signal handlers": _signals,
    "the signal wakeup descriptor": _wakeup_fd,
    "the signal mask": _signal_mask,
    "timers": _timers,
    "the user": _user,
    "death with its parent": dying_with_parent,
    "resource limits": _limits,
    "the working directory": _working_directory,
    "the umask": _umask,
    "the environment": _environment,
    "the locale": _locale,
    "warning filters": _warnings,
    "standard streams": standard_streams.restorer,
}
