"""Deleting messages whose retention has ended, with their deliveries."""

from __future__ import annotations

from array import array
from collections import Counter

import apsw

from ...types.transaction import Row
from ..rows.steps import forget as forget_steps
from ..session.session import Write
from . import counters

# Of fp_message: when its key is forgotten; see the two columns in schema.sql.
KEPT_UNTIL = """coalesce(fp_message.expires_at_ms, (
    select max(expires_at_ms) from fp_delivery where message_id = fp_message.id
  ))"""

_DELETE_EXPIRED_ALONE = """
delete from fp_delivery
where id in (
  select id
  from fp_delivery
  where lease_until_ms is null and expires_at_ms <= :now
  order by expires_at_ms
  limit :limit
)
returning queue, state, message_id
"""

_DELETE_BODIES = "delete from fp_body where message_id in carray(:messages)"

_DELETE_MESSAGES = "delete from fp_message where id in carray(:messages)"

_DELETE_EXPIRED_DELIVERIES = """
delete from fp_delivery
where id in (
  select d.id
  from fp_message as m
  cross join fp_delivery as d on d.message_id = m.id
  where m.expires_at_ms <= :now and d.state in ('done', 'dead', 'cancelled')
  order by m.expires_at_ms
  limit :limit
)
returning queue, state, id, fence
"""

_EXPIRED = """
select m.id
from fp_message as m
where m.expires_at_ms <= :now
  and not exists (select 1 from fp_delivery where message_id = m.id)
order by m.expires_at_ms
limit :limit
"""

# Those of deliveries that were done are gone already, unless they are kept.
_DELETE_EXPIRED_BODIES = f"delete from fp_body where message_id in ({_EXPIRED})"

_DELETE_EXPIRED = f"delete from fp_message where id in ({_EXPIRED}) returning id"

_DELETE_KEPT_BODIES = """
delete from fp_body
where message_id in (
  select id
  from fp_message
  where body_until_ms <= :now
  order by body_until_ms
  limit :limit
)
"""

_KEEP_NO_BODIES = """
update fp_message
set body_until_ms = null
where +body_until_ms <= :now and id in (
  select id
  from fp_message
  where body_until_ms <= :now
  order by body_until_ms
  limit :limit
)
returning 1
"""

_DELETE_DELIVERIES = (
    "delete from fp_delivery where message_id = :message returning queue, state, id, fence"
)

_DELETE_BODY = "delete from fp_body where message_id = :message"

_DELETE_MESSAGE = "delete from fp_message where id = :message"


def sweep(write: Write, limit: int) -> int:
    """Delete at most `limit` expired messages and deliveries, these first; return how many."""
    swept = _sweep_alone(write, limit)
    due = {"now": write.now_ms, "limit": limit - swept}
    gone = write.run(_DELETE_EXPIRED_DELIVERIES, due)
    _forget_deliveries(write, gone)
    swept += len(gone)
    left = {"now": write.now_ms, "limit": limit - swept}
    write.run(_DELETE_EXPIRED_BODIES, left)
    return swept + len(write.run(_DELETE_EXPIRED, left))


def _sweep_alone(write: Write, limit: int) -> int:
    """Delete expired messages that have one delivery, and that; return how many rows it were."""
    due = {"now": write.now_ms, "limit": limit // 2}
    rows = write.run(_DELETE_EXPIRED_ALONE, due)
    if not rows:
        return 0
    _count_out(write, [(queue, state) for queue, state, _ in rows])
    gone = {"messages": apsw.carray(array("q", [message for *_, message in rows]))}
    write.run(_DELETE_BODIES, gone)
    return len(rows) + write.change(_DELETE_MESSAGES, gone)


def sweep_bodies(write: Write, limit: int) -> int:
    """Delete at most `limit` bodies that were kept for their time; return how many."""
    over = {"now": write.now_ms, "limit": limit}
    write.run(_DELETE_KEPT_BODIES, over)
    # What an index has that its table has not would be found by the next sweep again.
    return len(write.run(_KEEP_NO_BODIES, over))


def forget(write: Write, message: int) -> None:
    """Delete one expired message and its deliveries."""
    _forget_deliveries(write, write.run(_DELETE_DELIVERIES, {"message": message}))
    write.run(_DELETE_BODY, {"message": message})
    write.run(_DELETE_MESSAGE, {"message": message})


def _forget_deliveries(write: Write, gone: list[Row]) -> None:
    _count_out(write, [(queue, state) for queue, state, _, _ in gone])
    for _, state, id, fence in gone:
        if state == "dead" and fence:
            forget_steps(write, id)


def _count_out(write: Write, gone: list[Row]) -> None:
    for (queue, state), count in Counter(gone).items():
        counters.left(write, queue, state, count)
