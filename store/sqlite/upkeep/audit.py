"""The audit: counters against rows, and references between rows."""

from __future__ import annotations

from ...errors import FencepostError
from ...types.probe import ProbeStep
from ..rows.steps import PLACES
from ..session.session import Session
from .probe import attempt

# Each answers with the names of the rows whose counts are wrong.
_RECOUNTS = {
    "queue": """
select fp_queue.name
from fp_queue
left join (
  select
    queue,
    count(*) filter (where state = 'ready') as ready,
    count(*) filter (where state = 'ready' and due_at_ms is not null) as scheduled,
    count(*) filter (where state = 'leased') as leased,
    count(*) filter (where state = 'sleeping') as sleeping,
    count(*) filter (where state = 'done') as done,
    count(*) filter (where state = 'dead') as dead,
    count(*) filter (where state = 'cancelled') as cancelled,
    sum(bytes) filter (where state in ('ready', 'leased')) as bytes
  from fp_delivery
  group by queue
) as counted on counted.queue = fp_queue.name
where fp_queue.ready <> coalesce(counted.ready, 0)
  or fp_queue.scheduled <> coalesce(counted.scheduled, 0)
  or fp_queue.leased <> coalesce(counted.leased, 0)
  or fp_queue.sleeping <> coalesce(counted.sleeping, 0)
  or fp_queue.done <> coalesce(counted.done, 0)
  or fp_queue.dead <> coalesce(counted.dead, 0)
  or fp_queue.cancelled <> coalesce(counted.cancelled, 0)
  or fp_queue.bytes <> coalesce(counted.bytes, 0)
""",
    "uncounted queue": """
select distinct queue
from fp_delivery
where queue not in (select name from fp_queue)
""",
    "namespace": """
select owner || '/' || name
from fp_namespace
where entries <> (select count(*) from fp_entry where namespace = fp_namespace.id)
""",
    "owner": """
select name
from fp_owner
where entries <> (
  select count(*)
  from fp_namespace
  join fp_entry on fp_entry.namespace = fp_namespace.id
  where fp_namespace.owner = fp_owner.name
)
""",
}

_LEFT_STEPS = f"""
select count(*)
from fp_step
where not exists (
  select 1
  from fp_delivery
  where fp_delivery.id = fp_step.id / {PLACES} and state not in ('done', 'cancelled')
)
"""

_LEFT_WAITS = """
select count(*)
from fp_wait
where not exists (
  select 1
  from fp_delivery
  where fp_delivery.id = fp_wait.delivery_id and state not in ('done', 'cancelled')
)
"""

# Of fp_message the id: what is marked and kept for nothing, or the other way round.
_KEPT_ODDLY = """
select count(*)
from fp_message
full join (select distinct message_id from fp_unrouted) on message_id = id
where (coalesce(unrouted, 0) = -1) <> (message_id is not null)
"""

_QUARANTINED = "select count(*) from fp_quarantine"

_MOST_NAMED = 10


def audit(session: Session) -> list[ProbeStep]:
    """Return one step for each kind of thing that may be wrong with the rows."""
    return [
        attempt("foreign keys", lambda: _foreign_keys(session)),
        attempt("counters", lambda: _counters(session)),
        attempt("steps", lambda: _steps(session)),
        attempt("kept messages", lambda: _kept(session)),
        attempt("quarantined rows", lambda: _quarantined(session)),
    ]


def _foreign_keys(session: Session) -> tuple[str, bool]:
    wrong = session.read("pragma foreign_key_check")
    if wrong:
        named = ", ".join(f"{table} {row}" for table, row, *_ in wrong[:_MOST_NAMED])
        raise FencepostError(f"{len(wrong)} rows refer to rows that do not exist: {named}")
    return "every reference leads to a row", False


def _counters(session: Session) -> tuple[str, bool]:
    wrong = [f"{kind} {name}" for kind, sql in _RECOUNTS.items() for (name,) in session.read(sql)]
    if wrong:
        raise FencepostError(f"wrong counters: {', '.join(wrong[:_MOST_NAMED])}")
    return "the counters match the rows", False


def _steps(session: Session) -> tuple[str, bool]:
    ((steps,),), ((waits,),) = session.read(_LEFT_STEPS), session.read(_LEFT_WAITS)
    if steps or waits:
        raise FencepostError(
            f"{steps} records of steps and {waits} waits are of deliveries that have ended"
        )
    return "each recorded step and each wait is of a delivery that may run again", False


def _kept(session: Session) -> tuple[str, bool]:
    ((rows,),) = session.read(_KEPT_ODDLY)
    if rows:
        raise FencepostError(f"{rows} messages are not kept for routes that are off as they say")
    return "each message that is kept for a route that is off is there", False


def _quarantined(session: Session) -> tuple[str, bool]:
    ((rows,),) = session.read(_QUARANTINED)
    if rows:
        raise FencepostError(
            f"{rows} damaged rows are in quarantine: `fencepost keys list --quarantined` lists them"
        )
    return "none", False
