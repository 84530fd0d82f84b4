"""A message that its sender delivers once more: what is dead of it is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ....types.messages.draft import Address, Draft
from ...memory import Write
from ...pools import events
from ...rows import DeliveryRow, MessageRow
from .. import changes, lanes
from . import arrivals, kept


def redeliver(
    write: Write, message: MessageRow, draft: Draft
) -> Literal["revived", "routed"] | None:
    """Have what is dead of a message tried again, or route it for the first time."""
    if message.route in ("unrouted", "asked"):
        if not draft.addresses:
            return None
        on, _ = kept.parted(write, draft.addresses)
        arrivals.require_room(write, on, len(draft.body))
        _restore(write, message, draft)
        route(write, message.id, draft.addresses, len(draft.body))
        return "routed" if on else None
    revivals = _revivals(write, message, draft)
    for row, _ in revivals:
        arrivals.require_room_in(write, row.queue, row.size)
    if not revivals:
        return None
    _restore(write, message, draft)
    for row, lane in revivals:
        again(write, row, lane)
        events.note(write, "revived", delivery=row.id, detail="the sender delivered it again")
    return "revived"


def route(write: Write, message: int, addresses: Sequence[Address], size: int) -> None:
    """Make the deliveries of a message that no route had matched before."""
    tables = write.tables
    tables.messages[message] = tables.messages[message]._replace(route="routed", expires_ms=None)
    on, held = kept.parted(write, addresses)
    kept.keep(write, message, held)
    arrivals.deliver(write, message, on, size)
    events.note(write, "routed", detail=f"message {message}")


def again(write: Write, row: DeliveryRow, lane: str | None) -> None:
    """Make one that has ended ready, its attempts counted anew.

    In its lane it goes before what is newer, but for what has become due without it.
    """
    if lane is not None:
        lanes.fill(write, (row.queue, lane))
    new = changes.change(
        write,
        row,
        state="ready",
        lane=lane,
        attempt=0,
        crashes=0,
        due_ms=None,
        token=None,
        settled=None,
        parked=False,
        changed_ms=write.now,
    )
    lanes.join(write, new)


def _revivals(
    write: Write, message: MessageRow, draft: Draft
) -> list[tuple[DeliveryRow, str | None]]:
    """Return what is to be tried again, each with its lane.

    One that is dead because it had no lane gets the one that it has now, if it has one.
    """
    addresses = {address.queue: address for address in draft.addresses}
    found = []
    dead = [row for row in write.tables.of_message(message.id) if row.state == "dead"]
    for row in sorted(dead, key=lambda row: row.queue):
        lane, address = row.lane, addresses.get(row.origin or row.queue)
        if row.limits.at_most_once or (address is not None and address.at_most_once):
            continue  # only an operator may have it tried again
        if not row.attempt and address is not None and lane is None:
            if address.refused is not None:
                continue
            lane = address.lane
        found.append((row, lane))
    return found


def _restore(write: Write, message: MessageRow, draft: Draft) -> None:
    """Keep the body as it has come now: it may be compressed in another way."""
    if message.body != draft.body:
        write.tables.messages[message.id] = message._replace(
            body=draft.body, headers=dict(draft.headers)
        )
