"""Signal handlers of our own, which the children that a handler forks must not inherit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], object]

# As Python itself has them, which is not the kernel's default.
_DEFAULT: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGPIPE: signal.SIG_IGN,
    signal.SIGXFSZ: signal.SIG_IGN,
}

_installed: dict[int, Handler] = {}


def install(number: int, handler: Handler) -> None:
    """Answer a signal in this process, but not in the children that it forks by itself."""
    signal.signal(number, handler)
    _installed[number] = handler


def default_in_forks() -> None:
    """Have a forked child answer signals as a program of its own does.

    Otherwise no SIGTERM would end a process that a handler has forked, such as one of
    multiprocessing, because that signal is for the worker. What the app has installed stays.
    """
    # A signal that arrives right after the fork waits until the child answers it: Python
    # would take it for the worker's, and forget it.
    masks = threading.local()

    def hold() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _installed)

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def reset() -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in _installed.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, _DEFAULT.get(number, signal.SIG_DFL))
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=reset)
