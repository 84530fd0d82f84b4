"""The queue that writers stand in before they ask SQLite for its lock.

SQLite's own busy handler lets the longest waiter poll rarest: with 8 writers one of
them can wait for seconds while another commits thousands of times. Here they block on a
flock, which Linux gives to whoever has waited longest: each waiter blocks on the one
before it (fs/locks.c). One that is stopped with SIGSTOP leaves the queue until it goes on.
Measured with bench/gate.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time

# Before it gets in line: a commit on a fast disk is over in less time than the wake-up of
# whoever is next in the queue takes, which is why the order is nearly, not quite, kept.
_TRIES = 2
_PAUSE_SECONDS = 0.000_05
# Between two tries of one that cannot get in line.
_POLL_SECONDS = 0.001

_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Gate:
    """A lock on a file beside the database, freed by the kernel when its holder dies.

    One thread at a time may use it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            self._made = True
        except FileExistsError:
            self._fd = os.open(path, _FLAGS)
            self._made = False
        self._waiter: _Waiter | None = None

    def enter(self, deadline: float) -> bool:
        """Take the lock; False when time.monotonic() passed `deadline` first."""
        for _ in range(_TRIES):
            if self._try():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        waiter = self._get_in_line()
        if waiter is not None:
            return waiter.wait(deadline - time.monotonic())
        while time.monotonic() < deadline:
            if self._try():
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def leave(self) -> None:
        """Give the lock back, unless it went with the file."""
        if self._waiter is not None:
            self._waiter.leave()
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def remove_if_made(self) -> None:
        """Leave nothing behind beside a file that turned out to be no store."""
        if self._made:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    def close(self) -> None:
        """Close the file, and the lock with it; twice is as good as once."""
        if self._waiter is not None:
            self._waiter.end()
        self._close()

    def abandon(self) -> None:
        """Close the file in a forked child; the lock is the parent's as well, and stays its."""
        if self._waiter is not None:
            self._waiter.abandon()
        self._close()

    def _close(self) -> None:
        fd, self._fd, self._waiter = self._fd, -1, None  # by now the number may be another file's
        if fd >= 0:
            os.close(fd)

    def _try(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _get_in_line(self) -> _Waiter | None:
        """Return what waits in the kernel's queue, None when nothing can."""
        if self._waiter is None:
            # No thread at the interpreter's end, no file once the gate was moved away.
            with contextlib.suppress(RuntimeError, OSError):
                self._waiter = _Waiter(self._path, self._fd)
        return self._waiter


class _Waiter:
    """Blocks in a thread of its own, because a flock cannot be waited for with a deadline.

    Its lock is that of an opening of its own, which excludes the gate's other one. When
    nobody waits any more for what it asked for, it gives the lock back as soon as it has it.
    """

    def __init__(self, path: str, beside: int) -> None:
        self._fd = os.open(path, _FLAGS)
        self._changed = threading.Condition()
        self._asking = False
        self._wanted = False
        self._holds = False
        self._ended = False
        try:
            if not os.path.sameopenfile(self._fd, beside):
                raise FileNotFoundError(f"{path} is another file now")
            threading.Thread(target=self._run, name="gate", daemon=True).start()
        except BaseException:
            os.close(self._fd)
            raise

    def wait(self, seconds: float) -> bool:
        """Return True once the lock is held; asked again, it keeps its place in the queue."""
        with self._changed:
            self._wanted = True
            if not self._asking:
                self._asking = True
                self._changed.notify_all()
            try:
                seconds = min(max(0.0, seconds), threading.TIMEOUT_MAX)
                return self._changed.wait_for(lambda: self._holds, seconds)
            except BaseException:  # a signal's handler raised
                self._unlock()
                raise
            finally:
                self._wanted = False

    def leave(self) -> None:
        """Give the lock back, if it is held."""
        with self._changed:
            self._unlock()

    def end(self) -> None:
        """Give the lock back; let the thread end, at the latest at the head of the queue."""
        with self._changed:
            self._unlock()
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close the file in a forked child, where there is no thread to do it."""
        os.close(self._fd)

    def _unlock(self) -> None:
        if self._holds:
            self._holds = False
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asking or self._ended)
                if self._ended:
                    break
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            with self._changed:
                self._asking = False
                self._holds = True
                if self._ended:
                    break
                if self._wanted:
                    self._changed.notify_all()
                else:
                    self._unlock()
        os.close(self._fd)  # and with it the lock, if it came too late
