"""The queue that writers stand in before they ask SQLite for its lock.

SQLite's own busy handler lets the longest waiter poll rarest: with 8 writers one of
them can wait for seconds while another commits thousands of times. Everybody here
polls a flock at the same short, random interval instead, so nobody starves.
Measured with bench/gate.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import time

# Longer sleeps make waits longer, shorter ones burn CPU for no more throughput.
_SLEEP_SECONDS = (0.000_05, 0.000_5)


class Gate:
    """A lock on a file beside the database, freed by the kernel when its holder dies."""

    def __init__(self, path: str) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            self._made = True
        except FileExistsError:
            self._fd = os.open(path, flags)
            self._made = False

    def enter(self, deadline: float) -> bool:
        """Take the lock; False when time.monotonic() passed `deadline` first."""
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(random.uniform(*_SLEEP_SECONDS))
            else:
                return True

    def leave(self) -> None:
        """Give the lock back, unless it went with the file."""
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def remove_if_made(self) -> None:
        """Leave nothing behind beside a file that turned out to be no store."""
        if self._made:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    def close(self) -> None:
        """Close the file, and the lock with it; twice is as good as once."""
        fd, self._fd = self._fd, -1  # by now the number may be another file's
        if fd >= 0:
            os.close(fd)
