"""The deliveries of a message: one for each queue that it goes to."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ....errors import LimitExceeded, QueueFull
from ....types.messages.death import DEATHS
from ....types.messages.draft import Address, queue_scope
from ....types.messages.limits import Limits
from ...memory import Write
from ...rows import DeliveryRow, MessageRow, QueueRow
from .. import changes, lanes
from ..joins import verbs as joins

_MOST_CALLS_OF_ON_DEAD = 10


def require_room(write: Write, addresses: Sequence[Address], size: int) -> None:
    """Raise unless each queue has room for one more; what is dead from the start needs none."""
    for address in addresses:
        if address.refused is None:
            require_room_in(write, address.queue, size)


def require_room_in(write: Write, queue: str, size: int) -> None:
    """Raise QueueFull, or LimitExceeded for what the empty queue has no room for."""
    max_rows, max_bytes, *_ = write.tables.queues.get(queue, QueueRow()).caps
    if max_rows is None and max_bytes is None:
        return
    live = write.tables.live(queue)
    used = sum(row.size for row in live)
    where = {"operation": "enqueue", "path": write.session.address}
    if max_bytes is not None and size > max_bytes:
        raise LimitExceeded(
            f"a body of {size} bytes is over the {max_bytes} of queue {queue}", **where
        )
    if max_rows is not None and len(live) >= max_rows:
        raise QueueFull(queue, f"{len(live)} deliveries", **where)
    if max_bytes is not None and used + size > max_bytes:
        raise QueueFull(queue, f"{used} bytes", **where)


def deliver(write: Write, message: int, addresses: Sequence[Address], size: int) -> None:
    """Make the deliveries of a message."""
    for address in addresses:
        _deliver(write, message, address, size)
    if addresses and all(address.refused is not None for address in addresses):
        changes.end_message(write, message)


def tell_death(write: Write, row: DeliveryRow) -> None:
    """Have on_dead called for a delivery, by a message of its own."""
    told = {"delivery": row.id, "error": row.error, "attempt": row.attempt, "queue": row.queue}
    body = json.dumps(told).encode()
    address = Address(DEATHS, max_attempts=_MOST_CALLS_OF_ON_DEAD)
    require_room(write, [address], len(body))
    message = MessageRow(
        id=write.next("message"),
        scope=queue_scope(DEATHS),
        source=None,
        key=None,
        event="dead",
        headers={},
        body=body,
        compared=body,
        received_ms=write.now,
        keep_ms=0,
        keep_body_ms=0,
    )
    write.tables.messages[message.id] = message
    deliver(write, message.id, [address], len(body))


def _deliver(write: Write, message: int, address: Address, size: int) -> None:
    write.tables.queues.setdefault(address.queue, QueueRow())
    row = DeliveryRow(
        id=write.next("delivery"),
        message=message,
        queue=address.queue,
        address=address,
        lane=address.lane,
        limits=Limits(
            max_attempts=address.max_attempts,
            retry_for_ms=address.retry_for_ms,
            at_most_once=address.at_most_once,
        ),
        state="ready" if address.refused is None else "dead",
        size=size,
        changed_ms=write.now,
        tried_since_ms=write.now,
        due_ms=write.now + address.delay_ms if address.delay_ms else None,
        error=address.refused,
        window_ms=None if address.join is None or address.lane is None else address.join.window_ms,
    )
    write.tables.deliveries[row.id] = row
    if row.state == "dead":
        changes.died(write, row)
    else:
        write.wakes = True
        lanes.join(write, row)
        joins.arrived(write, address)
