"""Letting messages in: the dedupe key and the work are one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ..message import Address, Draft, Receipt, State
from . import bodies, lanes, queues, retention, stored
from .delivery import end_message
from .door import Write

_FIND = """
select id, body_sha256, coalesce(expires_at_ms <= :now, 0)
from fp_message
where scope = :scope and key = :key
"""

_INSERT_MESSAGE = """
insert into fp_message (
  scope, source, key, event, headers, body_sha256, received_at_ms, keep_ms, keep_body_ms
)
values (:scope, :source, :key, :event, :headers, :sha256, :now, :keep, :keep_body)
"""

_INSERT_BODY = """
insert into fp_body (message_id, body, compressed)
values (:message, :body, :compressed)
"""

_INSERT_DELIVERY = """
insert into fp_delivery (
  message_id, queue, lane, lane_policy, held, priority, state, due_at_ms, max_attempts,
  retry_for_ms, error, bytes, created_at_ms, changed_at_ms
)
values (
  :message, :queue, :lane, :policy, :held, :priority, :state, :due, :max_attempts,
  :retry_for, :error, :bytes, :now, :now
)
"""

# The delivery furthest from its end speaks for the message.
_STANDING = """
select state, cast(result as blob) -- damaged text cannot be read as text
from fp_delivery
where message_id = :message
order by instr('ready leased dead cancelled done', state)
limit 1
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft with all that can be computed before the write lock is taken."""

    draft: Draft
    headers: str
    sha256: bytes
    body: bytes
    compressed: bool


def prepare(draft: Draft) -> Prepared:
    """Do the part of an enqueue that needs no transaction."""
    body, compressed = bodies.pack(draft.body)
    return Prepared(
        draft=draft,
        headers=json.dumps(dict(draft.headers)),
        sha256=hashlib.sha256(draft.body).digest(),
        body=body,
        compressed=compressed,
    )


def enqueue(write: Write, prepared: Prepared) -> Receipt:
    """Store a message and its deliveries, unless its key is there already.

    Raises:
        QueueFull, LimitExceeded: One of its queues has no room; nothing was changed.
        StoreCorrupt: It was done before, and its result is damaged; nothing was changed.
    """
    draft = prepared.draft
    if draft.key is not None:
        known = {"scope": draft.scope, "key": draft.key, "now": write.now_ms}
        for message, sha256, forgotten in write.run(_FIND, known):
            if not forgotten:
                return _seen_before(write, message, same=sha256 == prepared.sha256)
            retention.forget(write, message)
    for address in draft.addresses:
        if address.refused is None:
            queues.require_room(write, address.queue, len(draft.body))
    write.run(
        _INSERT_MESSAGE,
        {
            "scope": draft.scope,
            "source": draft.source,
            "key": draft.key,
            "event": draft.event,
            "headers": prepared.headers,
            "sha256": prepared.sha256,
            "now": write.now_ms,
            "keep": draft.keep_ms,
            "keep_body": draft.keep_body_ms,
        },
    )
    message = write.last_id
    body = {"body": prepared.body, "compressed": int(prepared.compressed)}
    write.run(_INSERT_BODY, {"message": message, **body})
    for address in draft.addresses:
        _insert(write, message, address, len(draft.body))
    if all(address.refused is not None for address in draft.addresses):
        end_message(write, message)
    state, result = _standing(write, message)
    return Receipt("accepted", message, state, result)


def _insert(write: Write, message: int, address: Address, bytes: int) -> None:
    state = "ready" if address.refused is None else "dead"
    due = write.now_ms + address.delay_ms if address.delay_ms else None
    aside = lanes.stands_aside(address.lane_policy, due)
    write.run(
        _INSERT_DELIVERY,
        {
            "message": message,
            "queue": address.queue,
            "lane": address.lane,
            "policy": address.lane_policy,
            "held": int(
                address.lane is not None
                and address.refused is None
                and lanes.is_held(write, address.queue, address.lane, stands_aside=aside)
            ),
            "priority": address.priority,
            "state": state,
            "due": due,
            "max_attempts": address.max_attempts,
            "retry_for": address.retry_for_ms,
            "error": address.refused,
            "bytes": bytes,
            "now": write.now_ms,
        },
    )
    waits = state == "ready" and due is not None
    queues.arrived(write, address.queue, state, bytes, due=waits)
    write.wakes |= state == "ready"


def _seen_before(write: Write, message: int, *, same: bool) -> Receipt:
    state, result = _standing(write, message)
    return Receipt("duplicate" if same else "conflict", message, state, result)


def _standing(write: Write, message: int) -> tuple[State | None, Any]:
    rows = write.run(_STANDING, {"message": message})
    if not rows:
        return None, None
    state, result = rows[0]
    return state, stored.result(result, operation="enqueue", path=write.path)
