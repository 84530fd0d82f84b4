"""Leasing what is ready: the greatest priority first, then the oldest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ...engine import Hold, Leased
from ...engine.ports.clock import Term
from ...types.messages.limits import Limits
from ...types.messages.message import Message
from ..memory import Write
from ..rows import DeliveryRow, MessageRow, QueueRow
from ..tables import Tables
from . import due, lanes, reap
from .joins.verbs import behind, take_along


def claim(
    write: Write,
    queues: Sequence[str],
    *,
    limit: int,
    lease_ms: int,
    owner: int | None,
    limits: Mapping[str, Limits],
    prefetch: Mapping[str, int] | None,
    joins: Mapping[str, int],
) -> list[Leased]:
    """Lease at most `limit` deliveries, the queues asked in the order given."""
    reap.reap_expired(write)
    due.promote_due(write)
    if prefetch is None:
        found = [row for queue in queues for row in claimable(write.tables, queue)]
    else:
        found = _ahead(write.tables, queues, prefetch)
    del found[limit:]
    leases = []
    for row in found:
        what = f"delivery {row.id}"
        token = write.session.memory.numbers.token(what)
        hold = Hold(row.id, write.fence(what), token, steps=row.fence > 0)
        write.tables.deliveries[row.id] = leased = row._replace(
            state="leased",
            attempt=row.attempt + 1,
            limits=limits.get(row.queue, row.limits),
            fence=hold.fence,
            token=hold.token,
            settled=None,
            worker=owner,
            pid=os.getpid(),
            until_ms=write.now + lease_ms,
            changed_ms=write.now,
            tried_since_ms=row.tried_since_ms if row.attempt else write.now,
        )
        leases.append(
            Leased(
                hold,
                row.queue,
                message(write.tables.messages[row.message]),
                leased.attempt,
                Term(write.now + lease_ms, lease_ms),
                row.origin,
                row.generation,
            )
        )
    return [
        take_along(
            write,
            head,
            behind(
                write, write.tables.deliveries[head.hold.id], most, room(write.tables, head.queue)
            ),
            owner,
            limits.get(head.queue),
        )
        if (most := joins.get(head.queue)) is not None
        else head
        for head in leases
    ]


def _ahead(tables: Tables, queues: Sequence[str], most: Mapping[str, int]) -> list[DeliveryRow]:
    """Return what one caller may take of one queue before it has handled any of it."""
    for queue in queues:
        if found := claimable(tables, queue):
            is_limited = tables.queues.get(queue, QueueRow()).max_leased is not None
            return found[: 1 if is_limited else most[queue]]
    return []


def claimable(tables: Tables, queue: str) -> list[DeliveryRow]:
    """Return what may be leased of a queue now, in its order."""
    return in_order(tables, queue)[: room(tables, queue)]


def in_order(tables: Tables, queue: str) -> list[DeliveryRow]:
    """Return what a queue gives, however much of it may be leased."""
    if tables.queues.get(queue, QueueRow()).paused:
        return []
    ready = [
        row
        for row in tables.of_queue(queue)
        if row.state == "ready" and row.due_ms is None and lanes.can_be_claimed(tables.heads, row)
    ]
    return sorted(ready, key=lambda row: (-row.address.priority, row.id))


def room(tables: Tables, queue: str) -> int | None:
    """Return how many more of a queue may be leased; None is no bound."""
    most = tables.queues.get(queue, QueueRow()).max_leased
    if most is None:
        return None
    return max(0, most - sum(row.state == "leased" for row in tables.of_queue(queue)))


def message(row: MessageRow) -> Message:
    """Return a message as its handler gets it."""
    return Message(
        id=row.id,
        source=row.source,
        key=row.key,
        event=row.event,
        headers=row.headers,
        body=row.body or b"",
        received_at=row.received_ms / 1000,
        copy_of=row.copy_of,
    )
