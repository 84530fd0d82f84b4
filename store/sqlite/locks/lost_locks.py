"""Detecting POSIX locks that this process has lost.

SQLite never asks: it goes by what it has noted. But the kernel drops all POSIX locks of a
process on a file when any descriptor of that file is closed, by whichever part of the
process; see foreign_sqlite.py. So a lock of our own is put on each file, at a byte that nobody
else uses. It goes with SQLite's, and whether it is there costs a system call.

The question is asked by another kind of lock, which conflicts with the first even within
one process (F_OFD_GETLK, fcntl(2)). The descriptors stay open as long as SQLite's, because
closing them would do the very harm.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import struct
import sys

from .signal_safe import FLOCK

_UNLOCKED = struct.pack("h", fcntl.F_UNLCK)

# Beyond all bytes that SQLite locks (0x40000000 and the 510 behind it, and 120 to 128 of the
# -shm), and another one in each process.
_FIRST, _LAST = 2**40, 2**62

# Of the -shm: the byte that a writer locks, and the counter of commits in the header;
# sqlite.org/walformat.html 2.3 and 2.1.
_ASK_WRITE = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 120, 1, 0)
_COUNTER_AT, _COUNTER_BYTES = 8, 4

_WATCHED = ("", "-shm") if sys.platform == "linux" else ()


class LockSentinel:
    """A lock on each file, which is lost when SQLite's are."""

    def __init__(self, path: str) -> None:
        byte = random.randrange(_FIRST, _LAST)
        self._request = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        self._files: dict[int, tuple[int, int]] = {}
        self._shm = -1
        for suffix in _WATCHED:
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(path + suffix, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                self._files[fd] = _identity(fd)
                if suffix == "-shm":
                    self._shm = fd
        self.take()

    def take(self) -> None:
        """Take the locks, when no connection of this process is open that may have lost some."""
        for fd in self._files:
            fcntl.fcntl(fd, fcntl.F_SETLK, self._request)

    def has_all(self) -> bool:
        """True while no lock was lost since they were taken."""
        try:
            for fd in self._files:
                if fcntl.fcntl(fd, fcntl.F_OFD_GETLK, self._request).startswith(_UNLOCKED):
                    return False
        except OSError:  # somebody has closed all descriptors
            return False
        return True

    def is_written_here(self) -> bool:
        """True while some connection of this very process holds SQLite's write lock."""
        try:
            answer = fcntl.fcntl(self._shm, fcntl.F_OFD_GETLK, _ASK_WRITE)
        except OSError:
            return False
        return not answer.startswith(_UNLOCKED) and FLOCK.unpack(answer)[-1] == os.getpid()

    def commits(self) -> bytes:
        """Return SQLite's counter of commits, which no other's may change while one writes."""
        try:
            return os.pread(self._shm, _COUNTER_BYTES, _COUNTER_AT)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the files, and with them drop every lock that the process has on them."""
        for fd, identity in self._files.items():
            with contextlib.suppress(OSError):
                if _identity(fd) == identity:  # else it is another file's by now
                    os.close(fd)
        self._files, self._shm = {}, -1


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
