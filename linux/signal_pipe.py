"""Signals as something to read: a handler that did more could run in the middle of anything."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

# As Python itself has them, which is not the kernel's default.
_DEFAULT: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGPIPE: signal.SIG_IGN,
    signal.SIGXFSZ: signal.SIG_IGN,
}


class Signals:
    """A pipe that tells which signals have come.

    Attributes:
        fd: Readable when there is one.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def take(self) -> list[int]:
        """Return the numbers of those that have come, in their order."""
        with contextlib.suppress(BlockingIOError):
            return list(os.read(self.fd, 4096))
        return []


@contextlib.contextmanager
def listening(numbers: Sequence[signal.Signals]) -> Iterator[Signals]:
    """Have these signals written to a pipe, in the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # A handler of Python's has to be there, or the pipe is told nothing.
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield Signals(reading)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(reading)
        os.close(writing)


def default_in_forks() -> None:
    """Have a forked child answer signals as a program of its own does.

    Else one that a handler has forked, such as a process of multiprocessing, could be ended by
    no SIGTERM, because that is for the worker. What the handler has installed stays.
    """
    found = {number: signal.getsignal(number) for number in signal.valid_signals()}
    ours: dict[int, Any] = {
        number: handler
        for number, handler in found.items()
        if getattr(handler, "__module__", "").startswith(__package__)
    }

    # One that comes right after the fork waits until the child answers it: Python would take
    # it for the worker's, and forget it.
    masks = threading.local()

    def hold() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def reset() -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in ours.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, _DEFAULT.get(number, signal.SIG_DFL))
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=reset)
