"""Letting messages in: the dedupe key and the work are one transaction."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..message import Draft, Receipt, State
from .door import Write

_FIND = """
select id, body_sha256
from fp_message
where scope = :scope and key = :key
"""

_INSERT_MESSAGE = """
insert into fp_message (
  scope, source, key, event, headers, body, body_sha256, received_at_ms, keep_ms
)
values (:scope, :source, :key, :event, :headers, :body, :sha256, :now, :keep)
"""

_INSERT_DELIVERY = """
insert into fp_delivery (
  message_id, queue, lane, held, priority, state, due_at_ms, max_attempts, error, bytes,
  created_at_ms, changed_at_ms
)
values (
  :message, :queue, :lane, :held, :priority, :state, :due, :max_attempts, :error, :bytes,
  :now, :now
)
"""

_LANE_IS_BUSY = """
select 1
from fp_delivery
where queue = :queue and lane = :lane and state in ('ready', 'leased')
limit 1
"""

# The delivery furthest from its end speaks for the message.
_STANDING = """
select state, result
from fp_delivery
where message_id = :message
order by instr('ready leased dead cancelled done', state)
limit 1
"""


def enqueue(write: Write, draft: Draft) -> Receipt:
    """Store a message and its deliveries, unless its key is there already."""
    sha256 = hashlib.sha256(draft.body).digest()
    if draft.key is not None:
        found = write.run(_FIND, {"scope": draft.scope, "key": draft.key})
        if found:
            return _seen_before(write, found[0][0], same=found[0][1] == sha256)
    write.run(
        _INSERT_MESSAGE,
        {
            "scope": draft.scope,
            "source": draft.source,
            "key": draft.key,
            "event": draft.event,
            "headers": json.dumps(dict(draft.headers)),
            "body": draft.body,
            "sha256": sha256,
            "now": write.now_ms,
            "keep": draft.keep_ms,
        },
    )
    message = write.last_id
    for address in draft.addresses:
        lane = {"queue": address.queue, "lane": address.lane}
        held = address.lane is not None and bool(write.run(_LANE_IS_BUSY, lane))
        write.run(
            _INSERT_DELIVERY,
            {
                **lane,
                "message": message,
                "held": int(held and address.refused is None),
                "priority": address.priority,
                "state": "ready" if address.refused is None else "dead",
                "due": write.now_ms + address.delay_ms if address.delay_ms else None,
                "max_attempts": address.max_attempts,
                "error": address.refused,
                "bytes": len(draft.body),
                "now": write.now_ms,
            },
        )
    state, result = _standing(write, message)
    return Receipt("accepted", message, state, result)


def _seen_before(write: Write, message: int, *, same: bool) -> Receipt:
    state, result = _standing(write, message)
    return Receipt("duplicate" if same else "conflict", message, state, result)


def _standing(write: Write, message: int) -> tuple[State | None, Any]:
    rows = write.run(_STANDING, {"message": message})
    if not rows:
        return None, None
    state, result = rows[0]
    return state, None if result is None else json.loads(result)
