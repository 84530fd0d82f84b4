"""Giving deliveries to another queue, as when a handler has been renamed."""

from __future__ import annotations

from ...types.delivery import Outcome
from ...types.messages.draft import queue_scope
from ..memory import Write
from ..queues import changes, lanes
from ..rows import DeliveryRow, QueueRow


def move(write: Write, id: int, queue: str) -> Outcome:
    """Give a delivery that waits, or is dead, to another queue; its lane goes on there."""
    tables = write.tables
    row = tables.deliveries.get(id)
    if row is None:
        return Outcome("not_found")
    if row.state == "leased":
        return Outcome("claimed", holder=row.pid)
    if row.state == "done":
        return Outcome("completed")
    if row.state == "cancelled":
        return Outcome("already_cancelled")
    if not _takes(write, row, queue):
        return Outcome("present")
    tables.queues.setdefault(queue, QueueRow())
    new = row._replace(queue=queue, origin=row.origin or row.queue)
    tables.deliveries[id] = new
    lanes.leave(write, row)
    _join(write, new)
    write.wakes |= new.state in ("ready", "sleeping")
    return Outcome("moved")


def _takes(write: Write, row: DeliveryRow, queue: str) -> bool:
    """False when the message has a delivery there, or its key is another's there.

    The key of a job is unique within its queue, and goes with it.
    """
    tables, message = write.tables, write.tables.messages[row.message]
    if any(other.queue == queue for other in tables.of_message(message.id)):
        return False
    if message.scope != queue_scope(row.queue):
        return True
    new = message._replace(scope=queue_scope(queue))
    if message.key is not None:
        known = tables.keys.get((new.scope, message.key))
        if known is not None:
            expires = tables.messages[known].expires_ms
            if expires is None or expires > write.now:
                return False
            changes.forget(write, known)
        del tables.keys[message.scope, message.key]
        tables.keys[new.scope, message.key] = message.id
    tables.messages[message.id] = new
    return True


def _join(write: Write, row: DeliveryRow) -> None:
    """Have it be the head of its lane there, unless that is leased, older or parked."""
    lane, tables = row.in_lane, write.tables
    if lane is None or not (row.parked or row.state in ("ready", "sleeping")):
        return
    if row.due_ms is not None and row.address.lane_policy == "skip":
        return
    head = tables.deliveries.get(tables.heads.get(lane, 0))
    if head is None or (head.state in ("ready", "sleeping") and head.id > row.id):
        tables.heads[lane] = row.id
    elif row.parked:
        tables.deliveries[row.id] = row._replace(parked=False)
        changes.end_message(write, row.message)
