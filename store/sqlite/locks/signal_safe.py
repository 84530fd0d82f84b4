"""Taking and freeing locks safely when a signal handler raises.

A handler can raise anywhere in a function of Python's, but not within a call into C. So:

- What takes a lock stands in a `try`, and `record` keeps what it took in the same step.
- What frees it is the first call of the `finally`, and one into C that raises no audit
  event: the audit hook of foreign_sqlite.py is Python's, and would let a handler in.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import struct
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# struct flock: l_type, l_whence, l_start, l_len, l_pid; fcntl(2).
FLOCK = struct.Struct("hhqqi")

# A call of ctypes is no event to audit, as one of the fcntl module is.
_libc = ctypes.CDLL(None)


def record(results: list[T], call: Callable[..., T], *arguments: object) -> None:
    """Append what a function written in C returns: both happen, or neither."""
    results.extend(map(call, *zip(arguments)))


def unlock_file(fd: int) -> Callable[[], object]:
    """Return a function that frees the lock that flock(2) has taken."""
    return functools.partial(_libc.flock, fd, fcntl.LOCK_UN)


if sys.platform == "linux":

    def unlock_byte(fd: int, byte: int) -> Callable[[], object]:
        """Return a function that frees the lock on a byte; see byte_locks.py."""
        request = FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0)
        return functools.partial(_libc.fcntl, fd, fcntl.F_OFD_SETLK, request)

else:

    def unlock_byte(fd: int, byte: int) -> Callable[[], object]:
        """Return a function that frees the lock on a byte; see byte_locks.py."""
        return functools.partial(fcntl.lockf, fd, fcntl.LOCK_UN, 1, byte)
