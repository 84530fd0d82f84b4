"""Redeliveries: a message that comes again revives its dead deliveries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

from ....errors import StoreCorrupt
from ....types.messages.draft import Address, Draft
from ... import events
from ...rows import kept as kept_rows
from ...session.session import Write
from .. import counters, payload
from ..lanes import is_behind
from ..transitions import AS_SEEN, COLUMNS, Standing, moved, standings
from . import deliveries

_IS_UNROUTED = "select unrouted > 0 from fp_message where id = :message"

# What may be begun only once, or has been given up by an operator, is left.
_DEAD = f"""
select {COLUMNS}
from fp_delivery
where message_id = :message and state = 'dead' and at_most_once = 0
order by queue
"""

_REVIVE = f"""
update fp_delivery
set state = 'ready', attempt = 0, crashes = 0, due_at_ms = null, token = null, settled_token = null,
    parked = 0, behind = :behind, lane = :lane, changed_at_ms = :now
where {AS_SEEN}
"""

_RESTORE_BODY = """
insert into fp_body (message_id, body, compressed)
values (:message, :body, :compressed)
on conflict do update set body = :body, compressed = :compressed
"""

_KEPT = "select cast(headers as blob), body_sha256 from fp_message where id = :message"

# The headers say how the body is compressed: of those that were sent now, both are stored.
_RESTORE_HEADERS = """
update fp_message
set headers = :headers, body_sha256 = :sha256
where id = :message
"""

_ROUTED = "update fp_message set unrouted = 0, expires_at_ms = null where id = :message"


def redeliver(write: Write, message: int, draft: Draft) -> Literal["revived", "routed"] | None:
    """Have what is dead of a message tried again, or route it for the first time.

    Raises:
        QueueFull, LimitExceeded: A queue has no room; nothing was changed.
    """
    (unrouted,) = write.one(_IS_UNROUTED, {"message": message})
    if unrouted:
        if not draft.addresses:
            return None
        on, _ = kept_rows.parted(draft.addresses, kept_rows.off(write))
        deliveries.require_room(write, on, len(draft.body))
        with _whole(write):
            _restore(write, message, draft)
            route(write, message, draft.addresses, len(draft.body))
        return "routed" if on else None
    revivals = _revivals(write, message, draft)
    for was, _ in revivals:
        counters.require_room(write, was.queue, was.bytes)
    if not revivals:
        return None
    with _whole(write):
        _restore(write, message, draft)
        for was, lane in revivals:
            _revive(write, was, lane)
    return "revived"


def route(write: Write, message: int, addresses: Sequence[Address], bytes: int) -> None:
    """Make the deliveries of a message that no route had matched before."""
    on, held = kept_rows.parted(addresses, kept_rows.off(write))
    write.must(_ROUTED, {"message": message})
    if held:
        kept_rows.keep(write, message, held)
    if on:
        deliveries.deliver(write, message, on, bytes)
    events.note(write, "routed", detail=f"message {message}")


def _whole(write: Write) -> AbstractContextManager[Write]:
    """Undo the block alone when it meets damage: the transaction is shared, and commits."""
    return write.savepoint()


def _revivals(write: Write, message: int, draft: Draft) -> list[tuple[Standing, str | None]]:
    """Return what is to be tried again, each with its lane.

    One that is dead for want of a lane gets the one that it has now; while it still cannot
    be had, it stays dead.
    """
    addresses = {address.queue: address for address in draft.addresses}
    found = []
    rows = write.run(_DEAD, {"message": message, "now": write.now_ms})
    for was in standings(write, rows, "dead"):
        lane, address = was.lane, addresses.get(was.origin or was.queue)
        if address is not None and address.at_most_once:
            continue  # its handler has become one since
        if not was.attempt and address is not None and lane is None:
            if address.refused is not None:
                continue
            lane = address.lane
        found.append((was, lane))
    return found


def _revive(write: Write, was: Standing, lane: str | None) -> None:
    # One that is parked is still the head of its lane.
    behind = not was.parked and is_behind(write, was.queue, lane, stands_aside=False)
    given = {"behind": int(behind), "lane": lane, "now": write.now_ms}
    write.must(_REVIVE, {**was.seen, **given})
    moved(write, was, "ready")
    events.note(write, "revived", delivery=was.id, detail="the sender delivered it again")


def _restore(write: Write, message: int, draft: Draft) -> None:
    """Put the message right, should what was stored of it be damaged."""
    body, compressed = payload.pack(draft.body)
    write.run(_RESTORE_BODY, {"message": message, "body": body, "compressed": int(compressed)})
    headers, known = write.one(_KEPT, {"message": message})
    sha256 = hashlib.sha256(draft.body).digest()
    try:
        payload.headers(headers, operation="enqueue", path=write.path)
        intact = known == sha256
    except StoreCorrupt:
        intact = False
    if not intact:
        again = {"headers": json.dumps(dict(draft.headers)), "sha256": sha256}
        write.must(_RESTORE_HEADERS, {"message": message, **again})
