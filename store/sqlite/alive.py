"""Which workers live, as the kernel knows it: one locked byte for each.

A worker locks the byte at its own row id, and the kernel frees it when the process
ends, however it ends. A pid says nothing: it is reused, at times within the second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys

from ..errors import StoreFailed

# struct flock: l_type, l_whence, l_start, l_len, l_pid; fcntl(2).
_FLOCK = struct.Struct("hhqqi")

_LEADER = 0  # no worker's: their ids begin at 1


class Alive:
    """The file of locked bytes. Every opening sees and holds locks of its own."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._own: set[int] = set()

    def hold(self, worker: int) -> None:
        """Lock the byte of a worker for as long as this file is open.

        Raises:
            StoreFailed: Another process holds it: its registration was never committed.
        """
        try:
            self._lock(worker)
        except BlockingIOError as error:
            raise StoreFailed(f"worker {worker} is held by another process") from error
        self._own.add(worker)

    def holds(self, worker: int) -> bool:
        """True while this or another opening of the file holds the worker's byte."""
        return worker in self._own or self._held_elsewhere(worker)

    def lead(self) -> bool:
        """Become the one that does the upkeep, unless another is: until this file is closed."""
        if _LEADER not in self._own:
            try:
                self._lock(_LEADER)
            except BlockingIOError:
                return False
            self._own.add(_LEADER)
        return True

    if sys.platform == "linux":

        def _lock(self, worker: int) -> None:
            request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, worker, 1, 0)
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, request)

        def _held_elsewhere(self, worker: int) -> bool:
            request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, worker, 1, 0)
            answer = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, request)
            return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    else:  # locks of the whole process, so one process sees only the others'

        def _lock(self, worker: int) -> None:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, worker)

        def _held_elsewhere(self, worker: int) -> bool:
            with contextlib.suppress(BlockingIOError):
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, worker)
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, worker)
                return False
            return True

    def close(self) -> None:
        """Close the file and free what this opening held; twice is as good as once."""
        fd, self._fd = self._fd, -1  # by now the number may be another file's
        if fd >= 0:
            os.close(fd)

    abandon = close

    def prepare(self) -> None:
        """Nothing of this is ever half done."""

    resume = prepare
