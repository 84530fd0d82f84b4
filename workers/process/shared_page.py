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
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields

from ...linux.memfd import memfd
from ...store.types.worker import Progress

STATES = ("starting", "idle", "quiet", "stopping")

# Of one claim; that many fences fit on the page.
MOST_AT_ONCE = 250

# How far a delivery of a batch is: its handler was not called, runs, has returned without a
# result, or has ended otherwise.
UNBEGUN, RUNNING, DONE, ENDED = range(4)

_RENEWAL_AT, _TAKEN_AT, _STAGES_AT, _BATCH_AT = 1024, 1152, 1280, 1536

_TRIES = 16

_HEAD, _FENCE, _SUM = struct.Struct("<2q"), struct.Struct("<q"), struct.Struct("<I")


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
        newest, fence: The delivery and the fence that it began last, 0 for none.
        state: One of STATES.
        known: The greatest fence of its claims that it has noted here; 0 for none.
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
    known: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What a worker has claimed at once, to handle one after the other.

    Attributes:
        answered_ms: When the store had answered the claim, on the stopwatch.
        fences: In the order in which they are handled. The first of them names the batch.
        stages: How far each is, one of UNBEGUN, RUNNING, DONE and ENDED.
    """

    answered_ms: int = 0
    fences: tuple[int, ...] = ()
    stages: bytes = b""

    def at(self, stage: int) -> frozenset[int]:
        """Return the fences of those that are at a stage."""
        pairs = zip(self.fences, self.stages, strict=True)
        return frozenset(fence for fence, each in pairs if each == stage)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the supervisor has done for a worker's leases, on the stopwatch.

    Every lease whose claim was answered from `since_ms` to `asked_ms` ends at `until_ms`.
    """

    since_ms: int = 0
    asked_ms: int = 0
    until_ms: int = 0


class SharedPage:
    """The page: the worker writes `work` and `batch`, its supervisor `renewal` and `taken`.

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
        self._work = _Record(self._map, 0, 10)
        self._renewal = _Record(self._map, _RENEWAL_AT, 3)

    @property
    def work(self) -> Work | None:
        """What the worker is running; None while that is being written."""
        if (found := self._work.read()) is None:
            return None
        claims, delivery, ends_ms, kill_at_ms, kill_for, handled, newest, fence, state, known = (
            found
        )
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
            known,
        )

    @work.setter
    def work(self, work: Work) -> None:
        *numbers, state, known = (getattr(work, each.name) for each in fields(work))
        self.tell(*numbers, STATES.index(state), known)

    def tell(self, *numbers: int) -> None:
        """Write `work` as numbers: as its attributes, the state as its place in STATES."""
        self._work.write(*numbers)

    @property
    def batch(self) -> Batch | None:
        """What the worker claimed last to handle one after the other; None while it is written."""
        for _ in range(_TRIES):
            with contextlib.suppress(ValueError):  # released, in another thread
                found = self._map[_BATCH_AT:]
                answered_ms, count = _HEAD.unpack_from(found)
                end = _HEAD.size + 8 * min(count, MOST_AT_ONCE)
                stages = self._map[_STAGES_AT : _STAGES_AT + count]
                sound = _SUM.unpack_from(found, end) == (zlib.crc32(found[:end]),)
                if found == self._map[_BATCH_AT:] and (sound or not any(found)):
                    return Batch(answered_ms, struct.unpack_from(f"<{count}q", found, 16), stages)
        return None

    @property
    def progress(self) -> Progress | None:
        """How far a worker that has ended was with its claims; None if it was just writing that."""
        work, batch = self.work, self.batch
        if work is None or batch is None:
            return None
        return Progress(work.known, batch.at(UNBEGUN), batch.at(DONE), batch.at(ENDED))

    def begin_batch(self, answered_ms: int, fences: Sequence[int]) -> None:
        """Write a new batch, of which nothing has begun. At most MOST_AT_ONCE."""
        data = _HEAD.pack(answered_ms, len(fences)) + array("q", fences).tobytes()
        # First, so that nobody takes what the last batch has begun for something of this one.
        self._map[_STAGES_AT : _STAGES_AT + len(fences)] = bytes(len(fences))
        self._map[_BATCH_AT : _BATCH_AT + len(data) + 4] = data + _SUM.pack(zlib.crc32(data))

    def move(self, place: int, stage: int) -> None:
        """Say how far a delivery of the batch is, by its place in it."""
        self._map[_STAGES_AT + place] = stage

    @property
    def taken(self) -> int:
        """The batch of which the supervisor takes back what was not begun, by its first fence."""
        try:
            return int(_FENCE.unpack_from(self._map, _TAKEN_AT)[0])
        except ValueError:
            return 0

    @taken.setter
    def taken(self, batch: int) -> None:
        with contextlib.suppress(ValueError):
            _FENCE.pack_into(self._map, _TAKEN_AT, batch)

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
        self._start = start
        self._end = start + self._numbers.size + _SUM.size
        if not any(memory[start : self._end]):
            self.write(*[0] * count)

    def write(self, *numbers: int) -> None:
        data = self._numbers.pack(*numbers)
        try:
            self._memory[self._start : self._end] = data + _SUM.pack(zlib.crc32(data))
        except ValueError:
            return  # released, in another thread

    def read(self) -> tuple[int, ...] | None:
        for _ in range(_TRIES):
            try:
                found = self._memory[self._start : self._end]
            except ValueError:
                return None
            data, sum = found[: self._numbers.size], found[self._numbers.size :]
            if _SUM.pack(zlib.crc32(data)) == sum:
                return self._numbers.unpack(data)
        return None


def _memory() -> int:
    with memfd(bytes(mmap.PAGESIZE), "fencepost-worker") as fd:
        return os.dup(fd)
