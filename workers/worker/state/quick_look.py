"""A quick look whether a handler may have changed the state of its process.

The full look (process_state) takes longer than all else that a worker does for a message. This
one asks for what Python's functions change without an audit event; of the other functions
the interpreter tells by an event. What code in C changes by itself is for the full look.
"""

from __future__ import annotations

import gc
import locale
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from operator import attrgetter, call
from typing import Any

from ....log.standard_streams import is_open

# What changes the working directory, the environment and the limits; and what finds functions
# in C, which may change anything.
_EVENTS = frozenset(
    {
        "os.chdir",
        "os.putenv",
        "os.unsetenv",
        "resource.setrlimit",
        "resource.prlimit",
        "ctypes.dlopen",
        "ctypes.dlsym",
    }
)

# The functions in C: the conversion to an enum would take most of the time.
plain_signal: Any = getattr(signal, "_signal", signal)

_attributes = attrgetter("stdin", "stdout", "stderr", "excepthook", "unraisablehook")


class QuickLook:
    """Compares this process with what it was when `take` was called."""

    def __init__(self) -> None:
        # A function in C: one of Python's would take longer than all that it is told of.
        self._unheard = dict.fromkeys(_EVENTS)
        self.take()
        sys.addaudithook(self._unheard.pop)

    def take(self) -> None:
        """Compare with what it is now."""
        streams = sys.stdin, sys.stdout, sys.stderr
        mask, wakeup = _set(os.umask, 0o077), _set(_set_wakeup_fd, -1)
        self._values: list[Callable[[], object]] = [
            sys.getrecursionlimit,
            sys.getswitchinterval,
            sys.gettrace,
            sys.getprofile,
            gc.isenabled,
            socket.getdefaulttimeout,
            partial(plain_signal.pthread_sigmask, signal.SIG_BLOCK, ()),
            *(partial(plain_signal.getitimer, timer) for timer in range(3)),
            partial(_set, os.umask, mask),
            partial(_set, _set_wakeup_fd, wakeup),
            os.geteuid,
            os.getegid,
            partial(getattr(locale, "_setlocale", locale.setlocale), locale.LC_ALL),
            partial(_attributes, sys),
            *(partial(getattr, each, "closed") for each in streams if each is not None),
            partial(_files, [fd for fd in range(3) if is_open(fd)]),
        ]
        self._signals = [int(n) for n in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}]
        self._environ, self._excepthook = os.environ, threading.excepthook
        self._filters = warnings.filters
        self._before = self._look()
        self.forget()

    def forget(self) -> None:
        """Forget the events so far: what they changed has been restored."""
        if len(self._unheard) != len(_EVENTS):
            self._unheard.update(dict.fromkeys(_EVENTS))

    def same(self) -> bool:
        """True unless something may have changed."""
        try:
            return (
                len(self._unheard) == len(_EVENTS)
                and os.environ is self._environ
                and threading.excepthook is self._excepthook
                and warnings.filters is self._filters
                and self._look() == self._before
            )
        except Exception:  # noqa: BLE001 - for example, a stream has been deleted
            return False

    def _look(self) -> tuple[list[object], list[object], list[object]]:
        getsignal = plain_signal.getsignal
        return (
            list(map(call, self._values)),
            list(map(getsignal, self._signals)),
            list(self._filters),
        )


_set_wakeup_fd = partial(signal.set_wakeup_fd, warn_on_full_buffer=False)


def _set(put: Callable[[int], int], value: int) -> int:
    """Return what is set, where to ask is to set; leave it so."""
    found = put(value)
    if found != value:
        put(found)
    return found


def _files(fds: list[int]) -> list[object]:
    return [os.fstat(fd)[1:3] for fd in fds]
