"""The queue that writers stand in before they ask SQLite for its lock.

SQLite's own busy handler lets the longest waiter poll rarest: with 8 writers one of
them can wait for seconds while another commits thousands of times. Here they block on a
flock, which Linux gives to whoever has waited longest (each waiter blocks on the one
before it; fs/locks.c). Measured with bench/gate.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time

_POLL_SECONDS = 0.001


class Gate:
    """A lock on a file beside the database, freed by the kernel when its holder dies.

    One thread at a time may use it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            self._made = True
        except FileExistsError:
            self._fd = os.open(path, flags)
            self._made = False
        self._waiter: _Waiter | None = None

    def enter(self, deadline: float) -> bool:
        """Take the lock; False when time.monotonic() passed `deadline` first."""
        waiter = self._waiter
        # One that gave up stands in the queue still, for the same lock: two would have it.
        if waiter is None or not waiter.asking:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if waiter is None:
            try:
                waiter = self._waiter = _Waiter(self._fd)
            except RuntimeError:  # no thread at the interpreter's end, or past a limit
                return self._poll(deadline)
        return waiter.wait(min(left, threading.TIMEOUT_MAX))

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
        self.leave()
        if self._waiter is not None:
            self._waiter.end()
        self._close()

    def abandon(self) -> None:
        """Close the file in a forked child; the lock is the parent's as well, and stays its."""
        if self._waiter is not None:
            self._waiter.abandon()
        self._close()

    def _poll(self, deadline: float) -> bool:
        while time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        return False

    def _close(self) -> None:
        fd, self._fd, self._waiter = self._fd, -1, None  # by now the number may be another file's
        if fd >= 0:
            os.close(fd)


class _Waiter:
    """Blocks in a thread of its own, because a flock cannot be waited for with a deadline.

    Attributes:
        asking: The thread is in the kernel's queue.
    """

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)  # the same lock, under a number that only the thread closes
        self._changed = threading.Condition()
        self.asking = False
        self._wanted = False
        self._got = False
        self._ended = False
        try:
            threading.Thread(target=self._run, name="gate", daemon=True).start()
        except RuntimeError:
            os.close(self._fd)
            raise

    def wait(self, seconds: float) -> bool:
        """Return True once the lock is held."""
        with self._changed:
            self._wanted = True
            if not self.asking:
                self.asking = True
                self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._got, seconds)
            except BaseException:  # a signal's handler raised
                if self._got:
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
                raise
            finally:
                self._wanted = self._got = False

    def end(self) -> None:
        """Let the thread end, at once or when it comes to the head of the queue."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close the number in a forked child, where there is no thread to do it."""
        os.close(self._fd)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.asking or self._ended)
                if self._ended:
                    break
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            with self._changed:
                self.asking = False
                if self._ended:
                    break
                if self._wanted:
                    self._got = True
                    self._changed.notify_all()
                else:  # whoever asked has given up
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)  # and with it the lock, if it came too late
