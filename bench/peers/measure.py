"""One measurement of one queue: enqueue one by one, drain with two workers, both at once."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fencepost.stress.machine.trials import fdatasync_ms
from fencepost.stress.records.percentiles import quantile

from .handler import Note, handled, notes
from .place import Place
from .processes import Failed, Workers, call, cpu
from .queue import WORKERS, Queue
from .services import Service

BEGIN_SECONDS = 60.0
DRAIN_SECONDS = 20.0
SYNCS = 50
QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round gave; rates in messages a second, CPU in milliseconds a message.

    `through` is from the first put to the last handled, put one by one while the workers
    wait, and `in_bulk` the same by the queue's own call for many. They are None where a drain
    was cut short. `share` is the least worker's part of the drain divided by the greatest's,
    and None where more processes than the workers ran handlers. `sync_ms` is what an
    fdatasync took before and after.
    """

    enqueue: float
    enqueue_p50_ms: float
    drain: float
    through: float | None
    in_bulk: float | None
    producer_cpu: float
    worker_cpu: float
    server_cpu: float | None
    share: float | None
    twice: int
    sync_ms: float
    setting: str


def measure(
    queue: Queue, durability: str, size: int, service: Service | None, scale: float, quiet_ms: float
) -> Figures:
    """Run one round of a queue in a new folder.

    It waits up to ten seconds for a disk whose syncs take at most `quiet_ms`.

    Raises:
        Failed: A process of the queue failed, or handled too little.
    """
    ones, many = (max(40, int(count * scale)) for count in queue.messages)
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    try:
        syncs = _await_quiet(folder, quiet_ms)
        place = Place(folder, durability, service.url() if service else "")
        call(place, "prepare", queue)
        server = _server(service)
        put = call(place, "put", queue, 0, ones, size, 0)
        ones, rate = put["count"], put["count"] / put["seconds"]
        if not queue.batched:  # a slow disk is as slow for the workers
            many = max(40, int(many * min(1.0, rate / queue.messages[0])))
        if many > ones:
            call(place, "put", queue, ones, many - ones, size, 1)
        total = max(ones, many)
        workers = Workers(place, queue)
        try:
            if not workers.wait(lambda: handled(folder) > 0, BEGIN_SECONDS):
                raise Failed(f"no message was handled within {BEGIN_SECONDS:.0f} s")
            used, before = workers.cpu(), handled(folder)
            whole = workers.wait(lambda: _are_handled(folder, total), DRAIN_SECONDS)
            spent, after = workers.cpu() - used, handled(folder)
            drained = notes(folder)
            through = in_bulk = None
            if whole:
                through = _through(place, queue, workers, total, ones, size, False)
            if through is not None and queue.bulk:
                in_bulk = _through(place, queue, workers, _next(folder), many, size, True)
        finally:
            workers.stop()
        every = notes(folder)
        return Figures(
            enqueue=rate,
            enqueue_p50_ms=put["p50_ms"],
            drain=_rate(drained),
            through=through,
            in_bulk=in_bulk,
            producer_cpu=put["cpu"] * 1e3 / ones,
            worker_cpu=spent * 1e3 / max(1, after - before),
            server_cpu=(_server(service) - server) * 1e3 / len(every) if service else None,
            share=_share(drained),
            twice=len(every) - len({note.number for note in every}),
            sync_ms=round(quantile(sorted([*syncs, *fdatasync_ms(folder, SYNCS)]), 0.5), 3),
            setting=put["setting"],
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_quiet(folder: Path, quiet_ms: float) -> list[float]:
    deadline = time.monotonic() + QUIET_SECONDS
    while True:
        syncs = fdatasync_ms(folder, SYNCS)
        if quantile(syncs, 0.5) <= quiet_ms or time.monotonic() > deadline:
            return syncs
        time.sleep(0.5)


def _through(
    place: Place, queue: Queue, workers: Workers, first: int, count: int, size: int, many: bool
) -> float | None:
    """Put more messages while the idle workers wait for them; return messages a second."""
    sent = call(place, "put", queue, first, count, size, int(many))
    count = sent["count"]
    if not workers.wait(lambda: _are_handled(place.folder, first + count), DRAIN_SECONDS):
        return None
    rate: float = count / (notes(place.folder)[-1].at - sent["begun"])
    return rate


def _next(folder: Path) -> int:
    return max(note.number for note in notes(folder)) + 1


def _are_handled(folder: Path, count: int) -> bool:
    """Return whether every number was noted: a queue may hand out a message twice."""
    return handled(folder) >= count and len({n.number for n in notes(folder)}) >= count


def _server(service: Service | None) -> float:
    return cpu(service.process.pid) if service else 0.0


def _rate(drained: list[Note]) -> float:
    """Return messages a second from when both workers ran, or from the first message.

    The latter where one worker's process ran most before the other had begun, or where there
    are other processes than one for each worker.
    """
    firsts: dict[int, float] = {}
    for note in drained:
        firsts.setdefault(note.pid, note.at)
    begun, last = drained[0].at, drained[-1].at
    if len(firsts) == WORKERS:
        both = max(firsts.values())
        if sum(note.at > both for note in drained) > len(drained) / 2:
            begun = both
    return sum(note.at > begun for note in drained) / (last - begun)


def _share(drained: list[Note]) -> float | None:
    counts: dict[int, int] = {}
    for note in drained:
        counts[note.pid] = counts.get(note.pid, 0) + 1
    if len(counts) != WORKERS:
        return 0.0 if len(counts) == 1 else None
    return min(counts.values()) / max(counts.values())
