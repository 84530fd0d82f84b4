"""The register of pools and workers, and giving back the claims of dead ones."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Collection, Mapping, Sequence

from ...engine.pools.verbs import Report, Retired
from ...types.worker import Event, Pool, Progress, Worker
from .. import events
from ..file.space import again_when_full
from ..locks.live_bytes import Liveness
from ..queue.claimable import LEASED
from ..queue.reap import disown, reap_worker, take_back
from ..session.damage import tells
from ..session.session import Session, Write
from .liveness import SqliteLiveness
from .schedules import SqliteSchedules, leave

_BEGIN = """
insert into fp_pool (pid, host, state, size, queues, started_at_ms, seen_at_ms)
values (:pid, :host, 'starting', :size, :queues, :now, :now)
"""

_TELL = """
update fp_pool
set state = :state, size = :size, queues = coalesce(:queues, queues), seen_at_ms = :now
where id = :id
"""

_SEEN = "select seen_at_ms from fp_pool where id = :id"

_END = "delete from fp_pool where id = :id returning pid"

_POOLS = """
select id, pid, host, state, size, queues, started_at_ms, seen_at_ms
from fp_pool
order by id
"""

_SCALE = "select wanted_workers from fp_store"

_SET_SCALE = "update fp_store set wanted_workers = :size"

_REGISTER = """
insert into fp_worker (pool, pid, host, state, started_at_ms, seen_at_ms)
values (:pool, :pid, :host, 'starting', :now, :now)
"""

_FIND = "select state, pool, pid from fp_worker where id = :id"

_REPORT = """
update fp_worker
set state = :state, handled = :handled, memory_bytes = :memory, seen_at_ms = :now
where id = :id
"""

# One that has expired may be another's by the next claim.
_RENEW_OF_WORKER = """
update fp_delivery indexed by fp_delivery_until
set lease_until_ms = max(lease_until_ms, :until)
where state = 'leased' and worker = :worker and lease_until_ms > :now
returning lease_until_ms
"""

_RETIRE = "delete from fp_worker where id = :id returning pool, pid"

_WORKERS = f"""
select
  w.id, w.pool, w.pid, w.host, w.state, w.handled, w.memory_bytes,
  d.id, d.queue, d.changed_at_ms, w.started_at_ms, w.seen_at_ms
from fp_worker as w
left join (
  select worker, min(id) as oldest
  from fp_delivery indexed by fp_delivery_until
  where {LEASED} and state = 'leased'
  group by worker
) as held on held.worker = w.id
left join fp_delivery as d on d.id = oldest
order by w.id
"""


@tells
class SqlitePools:
    """See fencepost.store.engine.pools.verbs.PoolVerbs; the methods stand in its order."""

    def __init__(self, session: Session, alive: Liveness) -> None:
        self._session = session
        self._liveness = alive
        self.liveness = SqliteLiveness(session, alive)
        self.schedules = SqliteSchedules(session, alive)

    @again_when_full
    def begin(
        self, queues: Sequence[str] | None, size: int, *, patience: float | None = None
    ) -> int:
        with self._session.write("begin", patience=patience) as write:
            write.run(
                _BEGIN,
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "size": size,
                    "queues": None if queues is None else json.dumps(list(queues)),
                    "now": write.now_ms,
                },
            )
            pool = write.last_id
            # Before the commit: a row whose byte is free is taken for dead.
            self._liveness.hold_pool(pool)
            events.note(write, "started", pool=pool, pid=os.getpid())
        return pool

    @again_when_full
    def tell(self, pool: int, *, state: str, size: int, queues: Sequence[str] = ()) -> None:
        said = {
            "state": state,
            "size": size,
            "queues": json.dumps(list(queues)) if queues else None,
        }
        with self._session.write("tell") as write:
            write.run(_TELL, {"id": pool, "now": write.now_ms, **said})

    @again_when_full
    def end(self, pool: int, why: str | None = None) -> None:
        with self._session.write("end") as write:
            for (seen_ms,) in write.run(_SEEN, {"id": pool}):
                leave(write, pool, seen_ms)
            for (pid,) in write.run(_END, {"id": pool}):
                events.note(write, "stopped", pool=pool, pid=pid, detail=why)

    def pools(self) -> list[Pool]:
        return [
            Pool(
                id=id,
                pid=pid,
                host=host,
                state=state if self._liveness.holds_pool(id) else "lost",
                size=size,
                queues=None if queues is None else tuple(json.loads(queues)),
                started_at=started / 1000,
                seen_at=seen / 1000,
            )
            for id, pid, host, state, size, queues, started, seen in self._session.read(_POOLS)
        ]

    def scale(self) -> int | None:
        ((size,),) = self._session.read(_SCALE)
        wanted: int | None = size
        return wanted

    @again_when_full
    def set_scale(self, size: int | None) -> None:
        with self._session.write("scale") as write:
            write.run(_SET_SCALE, {"size": size})
            events.note(write, "scaled", detail="auto" if size is None else str(size))

    @again_when_full
    def register(self, pool: int) -> int:
        host, pid = socket.gethostname(), os.getpid()
        with self._session.write("register") as write:
            write.run(_REGISTER, {"pool": pool, "pid": pid, "host": host, "now": write.now_ms})
            worker = write.last_id
            self._liveness.hold(worker)  # before the commit, as a pool's
            events.note(write, "started", pool=pool, worker=worker, pid=pid)
        return worker

    @again_when_full
    def report(self, reports: Mapping[int, Report]) -> None:
        with self._session.write("report") as write:
            for worker, report in reports.items():
                _report(write, worker, report)

    @again_when_full
    def renew_owned(self, workers: Sequence[int], lease_ms: int) -> dict[int, int]:
        # Nobody may believe in an expiry that a surrounding transaction rolls back.
        with self._session.write("renew", joins=False) as write:
            renewed = {}
            for worker in workers:
                asked = {"worker": worker, "now": write.now_ms, "until": write.now_ms + lease_ms}
                if untils := write.run(_RENEW_OF_WORKER, asked):
                    renewed[worker] = min(until for (until,) in untils) - write.now_ms
        return renewed

    @again_when_full
    def disown(self, worker: int, keep: Collection[int]) -> int:
        with self._session.write("disown") as write:
            return disown(write, worker, keep)

    @again_when_full
    def take_back(self, worker: int, fences: Collection[int], done: Collection[int] = ()) -> int:
        with self._session.write("take_back") as write:
            return take_back(write, worker, fences, done)

    @again_when_full
    def retire(
        self,
        worker: int,
        why: str,
        *,
        kind: str = "stopped",
        crashed: bool = False,
        overdue: int | None = None,
        last: Report | None = None,
        progress: Progress | None = None,
    ) -> Retired:
        with self._session.write("retire") as write:
            if last is not None:
                _report(write, worker, last)
            losses, done = reap_worker(
                write, worker, why, crashed=crashed, overdue=overdue, progress=progress
            )
            for pool, pid in write.run(_RETIRE, {"id": worker}):
                who = {"pool": pool, "worker": worker, "pid": pid}
                for delivery, fence, state in losses:
                    events.note(write, "lost", **who, delivery=delivery, fence=fence, detail=state)
                events.note(write, kind, **who, detail=why)
        return Retired(len(losses), done)

    def workers(self) -> list[Worker]:
        return [self._worker(*row) for row in self._session.read(_WORKERS)]

    def events(
        self, *, worker: int | None = None, pool: int | None = None, limit: int
    ) -> list[Event]:
        return events.events(self._session, worker, pool, limit)

    def _worker(
        self,
        id: int,
        pool: int,
        pid: int,
        host: str,
        state: str,
        handled: int,
        memory: int | None,
        delivery: int | None,
        queue: str | None,
        since: int | None,
        started: int,
        seen: int,
    ) -> Worker:
        return Worker(
            id=id,
            pool=pool,
            pid=pid,
            host=host,
            state=state if self._liveness.holds(id) else "lost",
            handled=handled,
            memory=memory,
            delivery=delivery,
            queue=queue,
            busy_since=None if since is None else since / 1000,
            started_at=started / 1000,
            seen_at=seen / 1000,
        )


def _report(write: Write, worker: int, report: Report) -> None:
    for was, pool, pid in write.run(_FIND, {"id": worker}):
        write.run(
            _REPORT,
            {
                "id": worker,
                "state": report.state,
                "handled": report.handled,
                "memory": report.memory,
                "now": write.now_ms,
            },
        )
        who = {"pool": pool, "worker": worker, "pid": pid}
        if was == "starting" and report.state != was:
            events.note(write, "ready", **who)
        if report.claimed is not None:
            delivery, fence = report.claimed
            events.note(write, "claimed", **who, delivery=delivery, fence=fence)
