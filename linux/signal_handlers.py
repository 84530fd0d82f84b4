"""The worker's signal handlers, which processes that a handler forks must not inherit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], object]

# Python's own defaults, where they differ from the kernel's.
_DEFAULT: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGPIPE: signal.SIG_IGN,
    signal.SIGXFSZ: signal.SIG_IGN,
}

_installed: dict[int, Handler] = {}


def install(number: int, handler: Handler) -> None:
    """Handle a signal in this process, and not in processes that app handlers fork."""
    signal.signal(number, handler)
    _installed[number] = handler


def default_in_forks() -> None:
    """Give forked children the default signal handlers.

    Otherwise SIGTERM would not end a process that a handler has forked, for example with
    multiprocessing, because it would be handled as in the worker. Handlers that the app has
    installed stay.
    """
    # A signal right after the fork is blocked until the child has its handlers: Python would
    # otherwise note it for the worker's handler, and lose it.
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
