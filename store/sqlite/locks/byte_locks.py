"""Locks on single bytes of a file, held by openings of it and freed by the kernel.

They are in nobody's way who locks the whole file with flock. A byte is locked by one opening
alone, or shared by some.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import struct
import sys
from collections.abc import Callable

# struct flock: l_type, l_whence, l_start, l_len, l_pid; fcntl(2).
_FLOCK = struct.Struct("hhqqi")

if sys.platform == "linux":

    def take(fd: int, byte: int, *, wait: bool = False) -> bool:
        """Lock a byte; False when another opening holds it. `wait` waits until none does."""
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        with contextlib.suppress(BlockingIOError):
            fcntl.fcntl(fd, fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK, request)
            return True
        return False

    def give(fd: int, byte: int) -> None:
        """Unlock a byte."""
        giving(fd, byte)()

    def giving(fd: int, byte: int) -> Callable[[], object]:
        """Return a function that unlocks a byte, one written in C."""
        request = _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0)
        return functools.partial(fcntl.fcntl, fd, fcntl.F_OFD_SETLK, request)

    def taken_elsewhere(fd: int, byte: int) -> bool:
        """True while another opening holds a byte."""
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, request)
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def share(fd: int, byte: int) -> bool:
        """Lock a byte beside others who share it; False when one has it alone."""
        request = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0)
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

    def give(fd: int, byte: int) -> None:
        """Unlock a byte."""
        giving(fd, byte)()

    def giving(fd: int, byte: int) -> Callable[[], object]:
        """Return a function that unlocks a byte, one written in C."""
        return functools.partial(fcntl.lockf, fd, fcntl.LOCK_UN, 1, byte)

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
