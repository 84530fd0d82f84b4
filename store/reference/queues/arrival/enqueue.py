"""Letting messages in, unless their key is there already."""

from __future__ import annotations

import json
from typing import Any

from ....types.messages.draft import Draft
from ....types.messages.receipt import Receipt
from ....types.messages.state import State
from ....types.schedule import SCHEDULES
from ....types.sending.outgoing import Outgoing
from ...memory import Write
from ...rows import ConflictRow, MessageRow
from .. import awaited, changes
from . import arrivals, kept, redelivery

# The delivery furthest from its end speaks for the message.
_FURTHEST_FIRST = ("ready", "leased", "sleeping", "dead", "cancelled", "done")


def enqueue(write: Write, draft: Draft, outgoing: Outgoing | None = None) -> Receipt:
    """Store a message with its deliveries, or say what became of the one that is there."""
    tables = write.tables
    known = None if draft.key is None else tables.keys.get((draft.scope, draft.key))
    if known is not None:
        expires = tables.messages[known].expires_ms
        if expires is None or expires > write.now:
            return _seen_before(write, tables.messages[known], draft)
        changes.forget(write, known)
    # What a schedule enqueues is no source's, and is not routed.
    routed = draft.source is not None and not draft.source.startswith(SCHEDULES)
    on, held = kept.parted(write, draft.addresses) if routed else (draft.addresses, [])
    arrivals.require_room(write, on, len(draft.body))
    message = MessageRow(
        id=write.next("message"),
        scope=draft.scope,
        source=draft.source,
        key=draft.key,
        event=draft.event,
        headers=dict(draft.headers),
        body=draft.body,
        compared=_compared(draft),
        received_ms=write.now,
        keep_ms=draft.keep_ms,
        keep_body_ms=draft.keep_body_ms,
        expires_ms=None if draft.addresses else write.now + draft.keep_ms,
        route="routed" if draft.addresses else "unrouted",
        outgoing=outgoing,
        wait_key=draft.wait_key,
    )
    tables.messages[message.id] = message
    if message.key is not None:
        tables.keys[message.scope, message.key] = message.id
    kept.keep(write, message.id, held)
    arrivals.deliver(write, message.id, on, len(draft.body))
    awaited.wake(write, message)
    return _receipt(write, "accepted", message.id)


def _seen_before(write: Write, message: MessageRow, draft: Draft) -> Receipt:
    if message.compared != _compared(draft):
        if draft.source is not None:
            before = write.tables.conflicts.get(draft.source, ConflictRow(0, "", 0))
            write.tables.conflicts[draft.source] = ConflictRow(
                before.conflicts + 1, draft.key or "", write.now
            )
        return _receipt(write, "conflict", message.id)
    helped = redelivery.redeliver(write, message, draft) if draft.redelivery == "revive" else None
    status = "duplicate" if helped is None else "accepted"
    return _receipt(write, status, message.id, helped)


def _compared(draft: Draft) -> bytes:
    return draft.body if draft.plain is None else draft.plain


def _receipt(write: Write, status: Any, message: int, helped: Any = None) -> Receipt:
    rows = write.tables.of_message(message)
    rows.sort(key=lambda row: _FURTHEST_FIRST.index(row.state))
    state: State | None = rows[0].state if rows else None
    result = rows[0].result if rows else None
    return Receipt(status, message, state, None if result is None else json.loads(result), helped)
