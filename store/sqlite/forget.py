"""Forgetting messages whose key's retention has ended."""

from __future__ import annotations

from .door import Write

# A message with a delivery that has not ended stays, whatever its row says.
_DELETE_DELIVERIES = """
delete from fp_delivery
where id in (
  select d.id
  from fp_message m
  cross join fp_delivery d on d.message_id = m.id
  where m.expires_at_ms <= :now and d.state in ('done', 'dead', 'cancelled')
  order by m.expires_at_ms
  limit :limit
)
returning queue, state
"""

_DELETE_MESSAGES = """
delete from fp_message
where id in (
  select m.id
  from fp_message m
  where m.expires_at_ms <= :now
    and not exists (select 1 from fp_delivery where message_id = m.id)
  order by m.expires_at_ms
  limit :limit
)
returning id
"""


def sweep_messages(write: Write, limit: int) -> int:
    """Delete at most `limit` rows of expired messages, deliveries first; return how many."""
    ended = write.run(_DELETE_DELIVERIES, {"now": write.now_ms, "limit": limit})
    left = limit - len(ended)
    messages = write.run(_DELETE_MESSAGES, {"now": write.now_ms, "limit": left}) if left else []
    return len(ended) + len(messages)
