"""Forgetting: a message whose key's retention has ended goes with all its deliveries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from . import queues
from .door import Write

_EXPIRED = """
select id
from fp_message
where expires_at_ms <= :now
order by expires_at_ms
limit :limit
"""

_DELETE_DELIVERIES = """
delete from fp_delivery
where message_id in (select value from json_each(:messages))
returning queue, state
"""

_DELETE_MESSAGES = """
delete from fp_message
where id in (select value from json_each(:messages))
"""


def sweep(write: Write, limit: int) -> int:
    """Forget at most `limit` messages whose time is over; return how many."""
    rows = write.run(_EXPIRED, {"now": write.now_ms, "limit": limit})
    forget(write, [id for (id,) in rows])
    return len(rows)


def forget(write: Write, messages: Sequence[int]) -> None:
    """Delete messages that have ended, and their deliveries."""
    if not messages:
        return
    these = {"messages": json.dumps(messages)}
    gone = Counter(write.run(_DELETE_DELIVERIES, these))
    for (queue, state), count in gone.items():
        queues.left(write, queue, state, count)
    write.run(_DELETE_MESSAGES, these)
