"""Enqueueing one message: the dedupe key and the work in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ....errors import LimitExceeded, QueueFull, StoreCorrupt
from ....types.messages.draft import Address, Draft
from ....types.messages.receipt import Receipt, Status
from ....types.messages.state import State
from ...rows import kept as kept_rows
from ...session.session import Write
from .. import payload, retention
from ..payload import Prepared
from ..retention import KEPT_UNTIL
from . import deliveries, redelivery

_FIND = f"""
select id, coalesce(plain_sha256, body_sha256), coalesce({KEPT_UNTIL} <= :now, 0)
from fp_message
where scope = :scope and key = :key
"""

_INSERT_MESSAGE = """
insert into fp_message (
  scope, source, key, event, headers, body_sha256, plain_sha256, received_at_ms, keep_ms,
  keep_body_ms, unrouted, expires_at_ms
)
values (
  :scope, :source, :key, :event, :headers, :sha256, :plain, :now, :keep, :keep_body, :unrouted,
  :expires
)
"""

_INSERT_BODY = """
insert into fp_body (message_id, body, compressed, outgoing)
values (:message, :body, :compressed, :outgoing)
"""

# The delivery furthest from its end speaks for the message.
_STANDING = """
select state, cast(result as blob) -- damaged text cannot be read as text
from fp_delivery
where message_id = :message
order by instr('ready leased sleeping dead cancelled done', state)
limit 1
"""

_COUNT_CONFLICT = """
insert into fp_conflict (source, conflicts, key, last_at_ms)
values (:source, 1, :key, :now)
on conflict do update set conflicts = conflicts + 1, key = :key, last_at_ms = :now
"""


def enqueue(write: Write, prepared: Prepared, off: Collection[str] = ()) -> Receipt:
    """Store a message and its deliveries, unless its key is there already.

    For the queues in `off` a message that has a source is kept_rows.

    Raises:
        QueueFull, LimitExceeded: One of its queues has no room; nothing was changed.
        StoreCorrupt: It was done before, and its result is damaged; nothing was changed.
    """
    draft = prepared.draft
    addresses: Sequence[Address] = draft.addresses
    held: Sequence[str] = ()
    if off and draft.source is not None:
        addresses, held = kept_rows.parted(addresses, off)
    if draft.key is not None:
        known = {"scope": draft.scope, "key": draft.key, "now": write.now_ms}
        for message, sha256, forgotten in write.run(_FIND, known):
            if not forgotten:
                same = sha256 == (prepared.plain_sha256 or prepared.sha256)
                return _seen_before(write, prepared, message, same=same)
            deliveries.require_room(write, addresses, len(draft.body))
            retention.forget(write, message)
    deliveries.require_room(write, addresses, len(draft.body))
    write.run(
        _INSERT_MESSAGE,
        {
            "scope": draft.scope,
            "source": draft.source,
            "key": draft.key,
            "event": draft.event,
            "headers": prepared.headers,
            "sha256": prepared.sha256,
            "plain": prepared.plain_sha256,
            "now": write.now_ms,
            "keep": draft.keep_ms,
            "keep_body": draft.keep_body_ms,
            "unrouted": int(not draft.addresses),
            "expires": None if draft.addresses else write.now_ms + draft.keep_ms,
        },
    )
    message = write.last_id
    body = {"body": prepared.body, "compressed": prepared.compressed, "outgoing": prepared.outgoing}
    write.run(_INSERT_BODY, {"message": message, **body})
    if held:
        kept_rows.keep(write, message, held)
    if addresses:
        deliveries.deliver(write, message, addresses, len(draft.body))
    state, result = _standing(write, message)
    return Receipt("accepted", message, state, result)


def enqueue_or_error(
    write: Write, prepared: Prepared, off: Collection[str] = ()
) -> Receipt | QueueFull | LimitExceeded | StoreCorrupt:
    """Do the same, and return an error that is of this message alone."""
    try:
        return enqueue(write, prepared, off)
    except (QueueFull, LimitExceeded, StoreCorrupt) as error:
        return error


def _seen_before(write: Write, prepared: Prepared, message: int, *, same: bool) -> Receipt:
    helped, draft = None, prepared.draft
    if not same:
        _count_conflict(write, draft)
    elif draft.redelivery == "revive":
        helped = redelivery.redeliver(write, message, draft)
    status: Status = "conflict" if not same else "duplicate" if helped is None else "accepted"
    state, result = _standing(write, message)
    return Receipt(status, message, state, result, helped)


def _count_conflict(write: Write, draft: Draft) -> None:
    """Count a known key with another body. A queue's own caller is told, and not counted."""
    if draft.source is not None:
        conflict = {"source": draft.source, "key": draft.key, "now": write.now_ms}
        write.run(_COUNT_CONFLICT, conflict)


def _standing(write: Write, message: int) -> tuple[State | None, Any]:
    rows = write.run(_STANDING, {"message": message})
    if not rows:
        return None, None
    state, result = rows[0]
    return state, payload.result(result, operation="enqueue", path=write.path)
