"""A page of memory in which a worker and its supervisor tell each other what they do.

It is written at each message, so it must cost next to nothing. The supervisor can read it
while the worker cannot answer, because its handler holds the interpreter or it is stopped.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zlib
from dataclasses import dataclass

from ...linux.memfd import memfd

STATES = ("starting", "idle", "quiet", "stopping")

_TRIES = 16


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is running; times are milliseconds on the machine's stopwatch.

    Attributes:
        claims: How many deliveries its handlers are running.
        delivery: The oldest of them, 0 for none.
        ends_ms: When the first of their leases ends if it is not renewed; 0 for none.
        kill_at_ms: When the first of them is over its timeout; 0 if none has one.
        kill_for: That delivery, 0 for none.
        handled: How many deliveries it has handled.
        newest, fence: The delivery and the fence of its newest claim, 0 for none.
        state: One of STATES.
    """

    claims: int = 0
    delivery: int = 0
    ends_ms: int = 0
    kill_at_ms: int = 0
    kill_for: int = 0
    handled: int = 0
    newest: int = 0
    fence: int = 0
    state: str = "starting"


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the supervisor has done for a worker's leases, on the stopwatch.

    Every lease whose claim was answered from `since_ms` to `asked_ms` ends at `until_ms`.
    """

    since_ms: int = 0
    asked_ms: int = 0
    until_ms: int = 0


class SharedPage:
    """The page: the worker writes `work`, and its supervisor writes `renewal`.

    Once it is closed both are None, also for a thread that is just reading them.

    Attributes:
        fd: The file behind it, to give to another process.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _memory() if fd is None else fd
        try:
            self._map = mmap.mmap(self.fd, mmap.PAGESIZE)
        except BaseException:
            os.close(self.fd)
            raise
        self._work = _Record(self._map, 0, 9)
        self._renewal = _Record(self._map, 1024, 3)

    @property
    def work(self) -> Work | None:
        """What the worker is running; None while that is being written."""
        if (found := self._work.read()) is None:
            return None
        claims, delivery, ends_ms, kill_at_ms, kill_for, handled, newest, fence, state = found
        return Work(
            claims,
            delivery,
            ends_ms,
            kill_at_ms,
            kill_for,
            handled,
            newest,
            fence,
            STATES[state],
        )

    @work.setter
    def work(self, work: Work) -> None:
        self._work.write(
            work.claims,
            work.delivery,
            work.ends_ms,
            work.kill_at_ms,
            work.kill_for,
            work.handled,
            work.newest,
            work.fence,
            STATES.index(work.state),
        )

    @property
    def renewal(self) -> Renewal | None:
        """The newest renewal; None while that is being written."""
        return None if (found := self._renewal.read()) is None else Renewal(*found)

    @renewal.setter
    def renewal(self, renewal: Renewal) -> None:
        self._renewal.write(renewal.since_ms, renewal.asked_ms, renewal.until_ms)

    def close(self) -> None:
        """Release the memory."""
        self._map.close()
        os.close(self.fd)


class _Record:
    """Some numbers in shared memory, all zero at first; None once it is released.

    They are written in one assignment with a checksum, because a signal handler may raise
    anywhere in here, and the other side may read in the middle of a copy.
    """

    def __init__(self, memory: mmap.mmap, start: int, count: int) -> None:
        self._memory = memory
        self._numbers = struct.Struct(f"<{count}q")
        self._sum = struct.Struct("<I")
        self._start = start
        self._end = start + self._numbers.size + self._sum.size
        if not any(memory[start : self._end]):
            self.write(*[0] * count)

    def write(self, *numbers: int) -> None:
        data = self._numbers.pack(*numbers)
        with contextlib.suppress(ValueError):  # released, in another thread
            self._memory[self._start : self._end] = data + self._sum.pack(zlib.crc32(data))

    def read(self) -> tuple[int, ...] | None:
        for _ in range(_TRIES):
            try:
                found = self._memory[self._start : self._end]
            except ValueError:
                return None
            data, sum = found[: self._numbers.size], found[self._numbers.size :]
            if self._sum.pack(zlib.crc32(data)) == sum:
                return self._numbers.unpack(data)
        return None


def _memory() -> int:
    with memfd(bytes(mmap.PAGESIZE), "fencepost-worker") as fd:
        return os.dup(fd)
