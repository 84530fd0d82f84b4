"""What operators see of deliveries."""

from __future__ import annotations

import json
from collections import Counter
from fnmatch import fnmatchcase

from ...types.delivery import Content, Delivery, Stored
from ...types.filter import Filter
from ...types.queue_stats import QueueStats
from ..rows import DeliveryRow, MessageRow, QueueRow
from ..tables import Tables


def deliveries(
    tables: Tables, wanted: Filter, limit: int, before: int | None, now: int
) -> list[Delivery]:
    """Return at most `limit` deliveries, newest first, from those with an id below `before`."""
    found = [
        row
        for id, row in sorted(tables.deliveries.items(), reverse=True)
        if (before is None or id < before)
        and _matches(row, tables.messages[row.message], wanted, now)
    ]
    return [_delivery(row, tables.messages[row.message]) for row in found[:limit]]


def delivery(tables: Tables, id: int) -> Delivery | None:
    """Return one delivery."""
    row = tables.deliveries.get(id)
    return None if row is None else _delivery(row, tables.messages[row.message])


def content(tables: Tables, id: int) -> Content | None:
    """Return what a delivery carries and what came of it."""
    row = tables.deliveries.get(id)
    if row is None:
        return None
    kept = tables.messages[row.message]
    return Content(
        headers=kept.headers,
        body=kept.body,
        result=None if row.result is None else json.loads(row.result),
        copy_of=kept.copy_of,
        copies=_copies(tables, kept.id),
    )


def message(tables: Tables, id: int) -> Stored | None:
    """Return a message as it is kept."""
    kept = tables.messages.get(id)
    if kept is None:
        return None
    return Stored(
        id=kept.id,
        source=kept.source,
        key=kept.key,
        event=kept.event,
        received_at=kept.received_ms / 1000,
        remembered_until=_seconds(kept.expires_ms),
        headers=kept.headers,
        body=kept.body,
        copy_of=kept.copy_of,
        copies=_copies(tables, kept.id),
        kept_for=tuple(sorted(queue for queue, of in tables.kept if of == id)),
    )


def stats(tables: Tables, now: int) -> dict[str, QueueStats]:
    """Return the counts of every queue of which something is known, by name."""
    return {name: _stats(tables, name, row, now) for name, row in sorted(tables.queues.items())}


def _stats(tables: Tables, name: str, queue: QueueRow, now: int) -> QueueStats:
    rows = list(tables.of_queue(name))
    count = Counter(row.state for row in rows)
    waits = [row for row in rows if row.state == "ready" and (row.due_ms or 0) > now]
    since = [
        row.changed_ms if row.due_ms is None else row.due_ms
        for row in rows
        if row.state in ("ready", "sleeping") and (row.due_ms or 0) <= now
    ]
    woken = sum(row.state == "sleeping" and (row.due_ms or 0) <= now for row in rows)
    return QueueStats(
        ready=count["ready"] - len(waits) + woken,
        scheduled=len(waits),
        leased=count["leased"],
        asleep=count["sleeping"] - woken,
        done=count["done"],
        dead=count["dead"],
        cancelled=count["cancelled"],
        oldest_ready_age=max(0, now - min(since, default=now)) / 1000,
        paused=queue.paused,
        max_leased=queue.max_leased,
    )


def _matches(row: DeliveryRow, message: MessageRow, wanted: Filter, now: int) -> bool:
    if wanted.state == "scheduled":
        in_state = row.state == "ready" and (row.due_ms or 0) > now
    else:
        in_state = wanted.state in (None, row.state)
    return (
        in_state
        and wanted.queue in (None, row.queue)
        and wanted.source in (None, message.source)
        and wanted.key in (None, message.key)
        and wanted.message in (None, message.id)
        and (wanted.event is None or _is_below(message.event, wanted.event))
        and (wanted.error is None or wanted.error.lower() in (row.error or "").lower())
        and (wanted.since_ms is None or message.received_ms >= wanted.since_ms)
    )


def _is_below(event: str, pattern: str) -> bool:
    return fnmatchcase(event, pattern) or fnmatchcase(event, pattern + ".*")


def _copies(tables: Tables, id: int) -> tuple[int, ...]:
    return tuple(row.id for row in tables.messages.values() if row.copy_of == id)


def _delivery(row: DeliveryRow, message: MessageRow) -> Delivery:
    leased = row.state == "leased"
    return Delivery(
        id=row.id,
        message_id=message.id,
        queue=row.queue,
        source=message.source,
        key=message.key,
        event=message.event,
        state=row.state,
        attempt=row.attempt,
        max_attempts=row.limits.max_attempts,
        fence=row.fence,
        priority=row.address.priority,
        lane=row.lane,
        error=row.error,
        received_at=message.received_ms / 1000,
        due_at=_seconds(row.due_ms),
        expires_at=_seconds(row.until_ms) if leased else None,
        holder=row.pid if leased else None,
        crashes=row.crashes,
        origin=row.origin,
        asleep=row.asleep,
    )


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
