"""Locks on single bytes of a file (fcntl(2), F_OFD_SETLK), which the kernel frees.

They belong to one opening of the file and do not conflict with flock(2) on the whole file. A
byte is locked by one opening alone, or shared by several.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys

from .signal_safe import FLOCK, unlock_byte


def give(fd: int, byte: int) -> None:
    """Unlock a byte."""
    unlock_byte(fd, byte)()


if sys.platform == "linux":

    def take(fd: int, byte: int, *, wait: bool = False) -> bool:
        """Lock a byte; False when another opening holds it. `wait` waits until none does."""
        request = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        with contextlib.suppress(BlockingIOError):
            fcntl.fcntl(fd, fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK, request)
            return True
        return False

    def taken_elsewhere(fd: int, byte: int) -> bool:
        """True while another opening holds a byte."""
        request = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, request)
        return bool(FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def share(fd: int, byte: int) -> bool:
        """Lock a byte beside others who share it; False when one has it alone."""
        request = FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0)
        with contextlib.suppress(BlockingIOError):
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
            return True
        return False

else:  # locks of the whole process, so one process sees only the others'

    def take(fd: int, byte: int, *, wait: bool = False) -> bool:
        """Lock a byte; False when another process holds it. `wait` waits until none does."""
        with contextlib.suppress(BlockingIOError):
            fcntl.lockf(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, byte)
            return True
        return False

    def taken_elsewhere(fd: int, byte: int) -> bool:
        """True while another process holds a byte."""
        free = take(fd, byte)
        if free:
            give(fd, byte)
        return not free

    def share(fd: int, byte: int) -> bool:
        """Lock a byte beside others who share it; False when one has it alone."""
        with contextlib.suppress(BlockingIOError):
            fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, byte)
            return True
        return False
