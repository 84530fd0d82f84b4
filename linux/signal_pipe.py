"""Signals as bytes in a pipe: a real signal handler could run in the middle of anything."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence


class Signals:
    """A pipe that holds the numbers of the signals that have come.

    Attributes:
        fd: Readable when there is one.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def take(self) -> list[int]:
        """Return the numbers of the signals that have come, in their order."""
        with contextlib.suppress(BlockingIOError):
            return list(os.read(self.fd, 4096))
        return []


@contextlib.contextmanager
def listening(numbers: Sequence[signal.Signals]) -> Iterator[Signals]:
    """Write these signals to a pipe; call it in the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # Python writes to the pipe only if it has a handler for the signal.
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield Signals(reading)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(reading)
        os.close(writing)
