"""The queue that writers stand in before they ask SQLite for its lock.

SQLite's own busy handler lets the longest waiter poll rarest: with 8 writers one of
them can wait for seconds while another commits thousands of times. Here they take turns.
Who has the turn may come back for some milliseconds, because what costs most is that
another one begins: it has to wake up, and to read anew what the one before it wrote. Only
the first in the line asks whether the gate is free; the others sleep, and the kernel
lets in first who has waited longest: each waits for the one before it (fs/locks.c).
Measured with bench/gate.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time

from . import bytelocks

# How long one may come back before it has to get in line: some twenty commits on a fast
# disk. Among n busy writers a wait is n - 1 times as long, with room below 0.25 s at 16.
_TURN_SECONDS = 0.006
# Between two tries of the first in line, which are first close together and then half as
# often again each time: who comes for a single commit is gone by then.
_FIRST_PAUSE_SECONDS = 0.000_1
_LAST_PAUSE_SECONDS = 0.000_5
# The first in line may have been stopped with SIGSTOP. Then the others go past it.
_STUCK_SECONDS = 0.5
_PAST_SECONDS = 5.0

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
        try:
            self._line = _Line(path)
        except BaseException:
            os.close(self._fd)
            raise
        self._turn_until = 0.0
        self._past_until = 0.0

    def enter(self, deadline: float) -> bool:
        """Take the lock; False when time.monotonic() passed `deadline` first."""
        now = time.monotonic()
        if now < self._turn_until and self._try():
            return True
        in_line = False
        if now >= self._past_until:
            in_line = self._line.join(min(deadline, now + _STUCK_SECONDS))
            if not in_line and time.monotonic() >= now + _STUCK_SECONDS:
                self._past_until = now + _PAST_SECONDS
        try:
            if not self._poll(deadline):
                return False
        finally:
            if in_line:
                self._line.leave()
        self._turn_until = time.monotonic() + _TURN_SECONDS
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
        self._line.end()
        self._close()

    def abandon(self) -> None:
        """Close the file in a forked child; the lock is the parent's as well, and stays its."""
        self._line.abandon()
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1  # by now the number may be another file's
        if fd >= 0:
            os.close(fd)

    def _poll(self, deadline: float) -> bool:
        pause = _FIRST_PAUSE_SECONDS
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, _LAST_PAUSE_SECONDS)
        return True

    def _try(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


class _Line:
    """Where all wait but the one that may ask whether the gate is free.

    Its lock is on a byte of the gate's file. A thread of its own waits for it, because it
    cannot be waited for with a deadline. When nobody waits any more for what the thread
    asked for, it gives the lock back as soon as it has it.
    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, _FLAGS)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asking = False
        self._wanted = False
        self._holds = False
        self._ended = False

    def join(self, deadline: float) -> bool:
        """Return True once it is this one's turn; asked again, it keeps its place."""
        with self._changed:
            if not self._asking and bytelocks.take(self._fd, 0):
                self._holds = True
                return True
            if time.monotonic() >= deadline or not self._start():
                return False
            self._wanted = True
            if not self._asking:
                self._asking = True
                self._changed.notify_all()
            try:
                seconds = min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)
                return self._changed.wait_for(lambda: self._holds, seconds)
            except BaseException:  # a signal's handler raised
                self._unlock()
                raise
            finally:
                self._wanted = False

    def leave(self) -> None:
        """Let the next one ask."""
        with self._changed:
            self._unlock()

    def end(self) -> None:
        """Leave; let the thread end, at the latest at the head of the line."""
        with self._changed:
            if self._ended:
                return
            self._unlock()
            self._ended = True
            self._changed.notify_all()
            if self._thread is None:
                os.close(self._fd)

    def abandon(self) -> None:
        """Close the file in a forked child, where there is no thread to do it."""
        if not self._ended:
            self._ended = True
            os.close(self._fd)

    def _start(self) -> bool:
        """Have a thread to wait in, which there is none of at the interpreter's end."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="gate", daemon=True)
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread
        return self._thread is not None

    def _unlock(self) -> None:
        if self._holds:
            self._holds = False
            bytelocks.give(self._fd, 0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asking or self._ended)
                if self._ended:
                    break
            bytelocks.take(self._fd, 0, wait=True)
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
