"""What follows when a delivery changes: its lane goes on, its message ends or does not."""

from __future__ import annotations

from typing import Any

from ...types.messages.death import Death
from ..memory import Write
from ..rows import GOING, DeliveryRow
from . import lanes


def change(write: Write, was: DeliveryRow, **changes: Any) -> DeliveryRow:
    """Give a delivery other values, and do what follows."""
    row: DeliveryRow = was._replace(**changes)
    write.tables.deliveries[row.id] = row
    write.wakes |= row.state == "ready"
    if row.state not in GOING:
        write.ended.add(row.message)
        end_message(write, row.message)
        if row.state != "dead":  # which may be replayed
            forget_steps(write, row.id)
    elif was.state not in GOING:
        message = write.tables.messages[row.message]
        write.tables.messages[row.message] = message._replace(expires_ms=None, body_until_ms=None)
    if (row.state not in GOING and not row.parked) or lanes.stands_aside(row, write.now):
        lanes.leave(write, row)
    if row.state == "dead" and was.state != "dead":
        died(write, row)
    return row


def give_back(write: Write, was: DeliveryRow, *, due_ms: int | None = None, **others: Any) -> None:
    """Let a delivery be claimed again, now or later."""
    changes = {"due_ms": due_ms, "until_ms": None, "changed_ms": write.now, **others}
    change(write, was, state="ready", **changes)


def bury(write: Write, was: DeliveryRow, error: str | None, **others: Any) -> None:
    """Make a dead letter of a delivery."""
    is_head = was.in_lane is not None and write.tables.heads.get(was.in_lane) == was.id
    change(
        write,
        was,
        state="dead",
        parked=is_head and was.address.lane_policy == "park",
        error=error,
        due_ms=None,
        until_ms=None,
        changed_ms=write.now,
        **others,
    )


def end_message(write: Write, id: int) -> None:
    """Let the time begin for which a message is remembered, once no delivery goes on.

    The body is kept as long as the key while one is dead or cancelled: it may be replayed.
    """
    tables, message = write.tables, write.tables.messages[id]
    deliveries = tables.of_message(id)
    if any(row.state in GOING or row.parked for row in deliveries) or message.route == "kept":
        return
    keep_body = max(
        [message.keep_body_ms, *(tables.queues[row.queue].caps.keep_body_ms for row in deliveries)]
    )
    ended = message._replace(expires_ms=write.now + max(message.keep_ms, keep_body))
    if any(row.state != "done" for row in deliveries):
        ended = ended._replace(body_until_ms=None)
    elif keep_body:
        ended = ended._replace(body_until_ms=write.now + keep_body)
    else:
        ended = ended._replace(body_until_ms=None, body=None)
    tables.messages[id] = ended


def forget(write: Write, id: int) -> int:
    """Remove a message with its deliveries; return how many of both."""
    tables, message = write.tables, write.tables.messages.pop(id)
    if message.key is not None:
        del tables.keys[message.scope, message.key]
    gone = tables.of_message(id)
    for row in gone:
        del tables.deliveries[row.id]
        forget_steps(write, row.id)
    return 1 + len(gone)


def forget_steps(write: Write, delivery: int) -> None:
    """Forget what a delivery has done, and what it waits for."""
    tables = write.tables
    tables.steps.pop(delivery, None)
    for place in [place for place in tables.waits if place[0] == delivery]:
        del tables.waits[place]
        tables.subjects.pop(place, None)


def died(write: Write, row: DeliveryRow) -> None:
    """Tell of a death: the log once this is committed, and the app by a message."""
    message = write.tables.messages[row.message]
    write.died.append(
        Death(
            row.id,
            row.queue,
            row.attempt,
            row.error,
            message.id,
            message.source,
            message.key,
            message.event,
        )
    )
    if write.tables.queues[row.queue].tells:
        from .arrival.arrivals import tell_death  # what makes a delivery imports this

        tell_death(write, row)
