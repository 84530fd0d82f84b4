"""Liveness of workers and pools: one locked byte of the -alive file for each.

A process locks the byte at its own row id, pools from 2**40 on, and the kernel frees it
when the process ends, however it ends. A pid says nothing: it is reused, at times within
the second.
"""

from __future__ import annotations

import os

from ...errors import StoreFailed
from ..file import permissions
from . import byte_locks

_LEADER = 0  # no worker's: their ids begin at 1
_POOLS = 2**40


class Liveness:
    """The file of locked bytes. Every opening sees and holds locks of its own."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        permissions.give_to_owner(self._fd, path.removesuffix("-alive"))
        self._own: set[int] = set()

    def hold(self, worker: int) -> None:
        """Lock the byte of a worker for as long as this file is open.

        Raises:
            StoreFailed: Another process holds it: its registration was never committed.
        """
        self._hold(worker, f"worker {worker}")

    def hold_pool(self, pool: int) -> None:
        """Lock the byte of a pool, as `hold` does a worker's."""
        self._hold(_POOLS + pool, f"pool {pool}")

    def holds(self, worker: int) -> bool:
        """True while this or another opening of the file holds the worker's byte."""
        return self._holds(worker)

    def holds_pool(self, pool: int) -> bool:
        """True while this or another opening of the file holds the pool's byte."""
        return self._holds(_POOLS + pool)

    def lead(self) -> bool:
        """Become the one that does the upkeep, unless another is: until this file is closed."""
        if _LEADER not in self._own:
            if not byte_locks.take(self._fd, _LEADER):
                return False
            self._own.add(_LEADER)
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

    def _hold(self, byte: int, whose: str) -> None:
        if not byte_locks.take(self._fd, byte):
            raise StoreFailed(f"{whose} is held by another process")
        self._own.add(byte)

    def _holds(self, byte: int) -> bool:
        return byte in self._own or byte_locks.taken_elsewhere(self._fd, byte)
