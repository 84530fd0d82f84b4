"""What a worker is at, in memory that it shares with its supervisor.

Told at each message, so it must cost next to nothing; and read while the worker can say
nothing, because its handler holds the interpreter or the process is stopped.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
import zlib
from dataclasses import dataclass

_FIELDS = struct.Struct("<qqqqI")
_TRIES = 16


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker has in work; times are milliseconds on the store's clock.

    Attributes:
        claims: How many deliveries.
        delivery: The oldest of them, 0 for none.
        ends_ms: When the first of their leases ends; None when there is none.
        kill_at_ms: When the first of them is over its timeout; None when none has one.
    """

    claims: int
    delivery: int
    ends_ms: int | None
    kill_at_ms: int | None


IDLE = Work(0, 0, None, None)


class Page:
    """One page of memory: one process writes it, its supervisor reads it.

    Attributes:
        fd: The file behind it, for handing it on to another process.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _memory() if fd is None else fd
        self._map = mmap.mmap(self.fd, mmap.PAGESIZE)
        self._held: dict[int, tuple[int, int]] = {}

    def hold(self, delivery: int, ends_ms: int, kill_at_ms: int | None) -> None:
        """Say that a delivery is in work."""
        self._held[delivery] = (ends_ms, kill_at_ms or 0)
        self._write()

    def renewed(self, delivery: int, ends_ms: int) -> None:
        """Say until when its lease holds now."""
        if (held := self._held.get(delivery)) is not None:
            self._held[delivery] = (ends_ms, held[1])
            self._write()

    def drop(self, delivery: int) -> None:
        """Say that it is in work no more."""
        self._held.pop(delivery, None)
        self._write()

    def read(self) -> Work | None:
        """Return what the worker has in work; None while it is just being written."""
        for _ in range(_TRIES):
            data = self._map[: _FIELDS.size]
            claims, delivery, ends_ms, kill_at_ms, sum = _FIELDS.unpack(data)
            if not claims:
                return IDLE
            if sum == zlib.crc32(data[:-4]):
                return Work(claims, delivery, ends_ms, kill_at_ms or None)
        return None

    def close(self) -> None:
        """Give up the memory."""
        self._map.close()
        os.close(self.fd)

    def _write(self) -> None:
        # Whole in one assignment, and summed: a signal's handler may raise anywhere in here,
        # and the reader may look in the middle of the copying.
        held = list(self._held.items())
        delivery = held[0][0] if held else 0
        ends_ms = min((ends for _, (ends, _) in held), default=0)
        kill_at_ms = min((kill for _, (_, kill) in held if kill), default=0)
        data = _FIELDS.pack(len(held), delivery, ends_ms, kill_at_ms, 0)[:-4]
        self._map[: _FIELDS.size] = data + struct.pack("<I", zlib.crc32(data))


def _memory() -> int:
    if sys.platform == "linux":
        fd = os.memfd_create("fencepost-worker")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, mmap.PAGESIZE)
    return fd
