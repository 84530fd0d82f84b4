"""The event log of pools, workers and redeliveries: the newest 10,000, for people to read."""

from __future__ import annotations

from ..rules.retention import MOST_EVENTS
from ..types.worker import Event
from .session.session import Session, Write

_NOTE = """
insert into fp_event (at_ms, kind, pool, worker, pid, delivery, fence, detail)
values (:now, :kind, :pool, :worker, :pid, :delivery, :fence, :detail)
"""

_LIST = """
select id, at_ms, kind, pool, worker, pid, delivery, fence, detail
from fp_event
where (:worker is null or worker = :worker) and (:pool is null or pool = :pool)
order by id desc
limit :limit
"""

_SWEEP = """
delete from fp_event
where id in (
  select id
  from fp_event
  where id <= (select max(id) from fp_event) - :kept
  order by id
  limit :limit
)
"""


def note(
    write: Write,
    kind: str,
    *,
    pool: int | None = None,
    worker: int | None = None,
    pid: int | None = None,
    delivery: int | None = None,
    fence: int | None = None,
    detail: str | None = None,
) -> None:
    """Write down what happened."""
    write.run(
        _NOTE,
        {
            "now": write.now_ms,
            "kind": kind,
            "pool": pool,
            "worker": worker,
            "pid": pid,
            "delivery": delivery,
            "fence": fence,
            "detail": detail,
        },
    )


def events(session: Session, worker: int | None, pool: int | None, limit: int) -> list[Event]:
    """Return at most `limit` events of a worker, a pool, or all; newest first."""
    rows = session.read(_LIST, {"worker": worker, "pool": pool, "limit": limit})
    return [Event(id, at / 1000, *rest) for id, at, *rest in rows]


def sweep(write: Write, limit: int) -> int:
    """Remove at most `limit` events but the newest; return how many."""
    return write.change(_SWEEP, {"kept": MOST_EVENTS, "limit": limit})
