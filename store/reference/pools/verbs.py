"""Pools and workers in plain Python: they live as long as the opening that began them."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from ...engine.pools.verbs import Report, Retired
from ...engine.ports.liveness import Gone, Liveness
from ...types.worker import Event, Pool, Progress, Worker
from ..memory import Session, Write
from ..queues import reap
from ..rows import DeliveryRow, PoolRow, WorkerRow
from . import events
from .schedules import PlainSchedules, leave

_ENDED = "its opening was closed"


class PlainLiveness:
    """See fencepost.store.engine.ports.liveness.Liveness; the methods stand in its order."""

    beat_seconds: float | None = None

    def __init__(self, session: Session) -> None:
        self._session = session

    def beat(self, pool: int, workers: Sequence[int]) -> None:
        self._session.check("beat")

    def gone(self) -> Gone:
        tables, openings = self._session.read("gone"), self._session.memory.openings
        return Gone(
            {id: _ENDED for id, row in tables.pools.items() if row.opening not in openings},
            {id: _ENDED for id, row in tables.workers.items() if row.opening not in openings},
        )


class PlainPools:
    """See fencepost.store.engine.pools.verbs.PoolVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.liveness: Liveness = PlainLiveness(session)
        self.schedules = PlainSchedules(session)

    def begin(
        self, queues: Sequence[str] | None, size: int, *, patience: float | None = None
    ) -> int:
        with self._session.write("begin", patience=patience) as write:
            id = write.next("pool")
            write.tables.pools[id] = PoolRow(
                opening=self._session,
                pid=os.getpid(),
                state="starting",
                size=size,
                queues=None if queues is None else tuple(queues),
                started_ms=write.now,
                seen_ms=write.now,
            )
            events.note(write, "started", pool=id, pid=os.getpid())
            return id

    def tell(self, pool: int, *, state: str, size: int, queues: Sequence[str] = ()) -> None:
        with self._session.write("tell") as write:
            row = write.tables.pools.get(pool)
            if row is not None:
                write.tables.pools[pool] = row._replace(
                    state=state, size=size, queues=tuple(queues) or row.queues, seen_ms=write.now
                )

    def end(self, pool: int, why: str | None = None) -> None:
        with self._session.write("end") as write:
            row = write.tables.pools.pop(pool, None)
            if row is not None:
                leave(write, pool, row.seen_ms)
                events.note(write, "stopped", pool=pool, pid=row.pid, detail=why)

    def pools(self) -> list[Pool]:
        gone = self.liveness.gone().pools
        return [
            Pool(
                id=id,
                pid=row.pid,
                host=socket.gethostname(),
                state="lost" if id in gone else row.state,
                size=row.size,
                queues=row.queues,
                started_at=row.started_ms / 1000,
                seen_at=row.seen_ms / 1000,
            )
            for id, row in sorted(self._session.read().pools.items())
        ]

    def scale(self) -> int | None:
        return self._session.read().scale.get("workers")

    def set_scale(self, size: int | None) -> None:
        with self._session.write("scale") as write:
            write.tables.scale["workers"] = size
            events.note(write, "scaled", detail="auto" if size is None else str(size))

    def register(self, pool: int) -> int:
        with self._session.write("register") as write:
            id = write.next("worker")
            write.tables.workers[id] = WorkerRow(
                opening=self._session,
                pool=pool,
                pid=os.getpid(),
                state="starting",
                started_ms=write.now,
                seen_ms=write.now,
            )
            events.note(write, "started", pool=pool, worker=id, pid=os.getpid())
            return id

    def report(self, reports: Mapping[int, Report]) -> None:
        with self._session.write("report") as write:
            for worker, report in reports.items():
                _report(write, worker, report)

    def renew_owned(self, workers: Sequence[int], lease_ms: int) -> dict[int, int]:
        renewed: dict[int, int] = {}
        with self._session.write("renew", joins=False) as write:
            for id, row in list(write.tables.deliveries.items()):
                until = row.until_ms or 0
                live = row.state == "leased" and until > write.now
                if live and row.worker is not None and row.worker in workers:
                    until = max(until, write.now + lease_ms)
                    write.tables.deliveries[id] = row._replace(until_ms=until)
                    lasts = until - write.now
                    renewed[row.worker] = min(lasts, renewed.get(row.worker, lasts))
        return renewed

    def disown(self, worker: int, keep: Collection[int]) -> int:
        with self._session.write("disown") as write:
            return reap.disown(write, worker, keep)

    def take_back(self, worker: int, fences: Collection[int], done: Collection[int] = ()) -> int:
        with self._session.write("take_back") as write:
            return reap.take_back(write, worker, fences, done)

    def retire(
        self,
        worker: int,
        why: str,
        *,
        kind: Literal["stopped", "killed"] = "stopped",
        crashed: bool = False,
        overdue: int | None = None,
        last: Report | None = None,
        progress: Progress | None = None,
    ) -> Retired:
        with self._session.write("retire") as write:
            if last is not None:
                _report(write, worker, last)
            losses, done = reap.reap_worker(
                write, worker, why, crashed=crashed, overdue=overdue, progress=progress
            )
            row = write.tables.workers.pop(worker, None)
            if row is not None:
                for lost, fence, state in losses:
                    _note(write, "lost", worker, row, delivery=lost, fence=fence, detail=state)
                _note(write, kind, worker, row, detail=why)
            return Retired(len(losses), done)

    def workers(self) -> list[Worker]:
        tables, gone = self._session.read(), self.liveness.gone().workers
        held: dict[int | None, DeliveryRow] = {}
        for _, delivery in sorted(tables.deliveries.items()):
            if delivery.state == "leased":
                held.setdefault(delivery.worker, delivery)
        return [
            _worker(id, row, held.get(id), is_gone=id in gone)
            for id, row in sorted(tables.workers.items())
        ]

    def events(
        self, *, worker: int | None = None, pool: int | None = None, limit: int
    ) -> list[Event]:
        return events.events(self._session.read(), worker=worker, pool=pool, limit=limit)


def _report(write: Write, worker: int, said: Report) -> None:
    row = write.tables.workers.get(worker)
    if row is None:
        return
    write.tables.workers[worker] = row._replace(
        state=said.state, handled=said.handled, memory=said.memory, seen_ms=write.now
    )
    if row.state == "starting" and said.state != "starting":
        _note(write, "ready", worker, row)
    if said.claimed is not None:
        delivery, fence = said.claimed
        _note(write, "claimed", worker, row, delivery=delivery, fence=fence)


def _note(
    write: Write,
    kind: str,
    worker: int,
    row: WorkerRow,
    *,
    delivery: int | None = None,
    fence: int | None = None,
    detail: str | None = None,
) -> None:
    events.note(
        write,
        kind,
        pool=row.pool,
        worker=worker,
        pid=row.pid,
        delivery=delivery,
        fence=fence,
        detail=detail,
    )


def _worker(id: int, row: WorkerRow, held: DeliveryRow | None, *, is_gone: bool) -> Worker:
    return Worker(
        id=id,
        pool=row.pool,
        pid=row.pid,
        host=socket.gethostname(),
        state="lost" if is_gone else row.state,
        handled=row.handled,
        memory=row.memory,
        delivery=None if held is None else held.id,
        queue=None if held is None else held.queue,
        busy_since=None if held is None else held.changed_ms / 1000,
        started_at=row.started_ms / 1000,
        seen_at=row.seen_ms / 1000,
    )
