"""Deleting messages whose retention has ended, with their deliveries."""

from __future__ import annotations

from collections import Counter

from ...types.transaction import Row
from ..session.session import Write
from . import counters

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
returning queue, state
"""

# Those of deliveries that were done are gone already, unless they are kept.
_DELETE_EXPIRED_BODIES = """
delete from fp_body
where message_id in (
  select m.id
  from fp_message as m
  where m.expires_at_ms <= :now
    and not exists (select 1 from fp_delivery where message_id = m.id)
  order by m.expires_at_ms
  limit :limit
)
"""

_DELETE_EXPIRED = """
delete from fp_message
where id in (
  select m.id
  from fp_message as m
  where m.expires_at_ms <= :now
    and not exists (select 1 from fp_delivery where message_id = m.id)
  order by m.expires_at_ms
  limit :limit
)
returning id
"""

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

_DELETE_DELIVERIES = "delete from fp_delivery where message_id = :message returning queue, state"

_DELETE_BODY = "delete from fp_body where message_id = :message"

_DELETE_MESSAGE = "delete from fp_message where id = :message"


def sweep(write: Write, limit: int) -> int:
    """Delete at most `limit` expired messages and deliveries, these first; return how many."""
    gone = write.run(_DELETE_EXPIRED_DELIVERIES, {"now": write.now_ms, "limit": limit})
    _count_out(write, gone)
    left = {"now": write.now_ms, "limit": limit - len(gone)}
    write.run(_DELETE_EXPIRED_BODIES, left)
    return len(gone) + len(write.run(_DELETE_EXPIRED, left))


def sweep_bodies(write: Write, limit: int) -> int:
    """Delete at most `limit` bodies that were kept for their time; return how many."""
    over = {"now": write.now_ms, "limit": limit}
    write.run(_DELETE_KEPT_BODIES, over)
    # What an index has that its table has not would be found by the next sweep again.
    return len(write.run(_KEEP_NO_BODIES, over))


def forget(write: Write, message: int) -> None:
    """Delete one expired message and its deliveries."""
    _count_out(write, write.run(_DELETE_DELIVERIES, {"message": message}))
    write.run(_DELETE_BODY, {"message": message})
    write.run(_DELETE_MESSAGE, {"message": message})


def _count_out(write: Write, gone: list[Row]) -> None:
    for (queue, state), count in Counter(gone).items():
        counters.left(write, queue, state, count)
