"""What an operator changes by hand, and what stood in the way."""

from __future__ import annotations

from ...types.delivery import Forget, Outcome
from ..durable.steps import forget_from
from ..memory import Write
from ..queues import changes, lanes
from ..queues.arrival import redelivery
from ..rows import GOING, DeliveryRow, QueueRow


def pause(write: Write, queue: str, paused: bool) -> bool:
    """Let nothing of a queue be claimed, or claim on; False when nothing was known of it."""
    known = write.tables.queues.get(queue)
    if known is not None or paused:
        write.tables.queues[queue] = (known or QueueRow())._replace(paused=paused)
    write.wakes |= not paused
    return known is not None


def limit(write: Write, queue: str, most: int | None) -> bool:
    """Bound what is leased of a queue, whatever its caps say; False when it was not known."""
    known = write.tables.queues.get(queue)
    write.tables.queues[queue] = (known or QueueRow())._replace(told_max_leased=most)
    write.wakes = True
    return known is not None


def replay(write: Write, id: int, forget: Forget = None) -> Outcome:
    """Make a dead or cancelled delivery ready again, or copy one that is done."""
    row = write.tables.deliveries.get(id)
    if row is None:
        return Outcome("not_found")
    if row.state == "sleeping":
        return Outcome("sleeping")
    if row.state in GOING:
        return _claimed(row) if row.state == "leased" else Outcome("active")
    if write.tables.messages[row.message].body is None:
        return Outcome("unrecoverable")
    if row.state == "done":
        return _copy(write, row)
    if forget is not None and not forget_from(write, row, forget):
        return Outcome("no_such_step")
    redelivery.again(write, write.tables.deliveries[id], row.lane)
    return Outcome("replayed")


def cancel(write: Write, id: int) -> Outcome:
    """End a delivery that nobody holds, or give up a dead one for good."""
    row = write.tables.deliveries.get(id)
    if row is None:
        return Outcome("not_found")
    if row.state == "leased" and (row.until_ms or 0) > write.now:
        return _claimed(row)
    if row.state == "done":
        return Outcome("completed")
    if row.state == "cancelled":
        return Outcome("already_cancelled")
    changes.change(
        write,
        row,
        state="cancelled",
        asleep=None,
        parked=False,
        due_ms=None,
        until_ms=None,
        token=None,
        settled=None,
        changed_ms=write.now,
    )
    return Outcome("cancelled")


def _copy(write: Write, row: DeliveryRow) -> Outcome:
    tables, message = write.tables, write.next("message")
    original = tables.messages[row.message]
    copy = original._replace(
        id=message,
        scope=f"copy/{message}",
        expires_ms=None,
        body_until_ms=None,
        copy_of=original.id,
    )
    tables.messages[message] = copy
    if copy.key is not None:
        tables.keys[copy.scope, copy.key] = message
    new = DeliveryRow(
        id=write.next("delivery"),
        message=message,
        queue=row.queue,
        address=row.address,
        lane=row.lane,
        limits=row.limits,
        state="ready",
        size=row.size,
        changed_ms=write.now,
        tried_since_ms=write.now,
        origin=row.origin,
    )
    tables.deliveries[new.id] = new
    write.wakes = True
    lanes.join(write, new)
    return Outcome("copied", delivery=new.id, message=message)


def _claimed(row: DeliveryRow) -> Outcome:
    return Outcome("claimed", holder=row.pid)
