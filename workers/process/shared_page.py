"""What a worker and its supervisor tell each other, in memory that they share.

Told at each message, so it must cost next to nothing; and read while the worker can say
nothing, because its handler holds the interpreter or the process is stopped.
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
    """What a worker has in work; times are milliseconds on the machine's stopwatch.

    Attributes:
        claims: How many deliveries its handlers are at.
        delivery: The oldest of them, 0 for none.
        ends_ms: When the first of their leases ends if nobody renews it; 0 for none.
        kill_at_ms: When the first of them is over its timeout; 0 when none has one.
        kill_for: The delivery that is, 0 for none.
        handled: Deliveries so far.
        newest, fence: Its newest claim, 0 for none.
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
    """A page of memory: the worker writes its work, its supervisor the renewals.

    Once it is closed it says nothing, also to a thread that is just reading it.

    Attributes:
        fd: The file behind it, for handing it on to another process.
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
        """What the worker is at; None while that is just being written."""
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
        """The newest renewal; None while that is just being written."""
        return None if (found := self._renewal.read()) is None else Renewal(*found)

    @renewal.setter
    def renewal(self, renewal: Renewal) -> None:
        self._renewal.write(renewal.since_ms, renewal.asked_ms, renewal.until_ms)

    def close(self) -> None:
        """Give up the memory."""
        self._map.close()
        os.close(self.fd)


class _Record:
    """Some numbers at a place in memory, all zero at first; None once that is given up.

    Written whole in one assignment, and summed: a signal's handler may raise anywhere in
    here, and the other side may look in the middle of the copying.
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
        with contextlib.suppress(ValueError):  # given up, in another thread
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
