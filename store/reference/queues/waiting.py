"""What waits: since when, and when to look again."""

from __future__ import annotations

from collections.abc import Sequence

from ..rows import QueueRow
from ..tables import Tables
from .claim import claimable, in_order, room


def waiting_since_ms(tables: Tables, queues: Sequence[str], now: int) -> int | None:
    """Return when the oldest became ready of what these queues give now, None for nothing."""
    since = []
    for queue in queues:
        known = tables.queues.get(queue, QueueRow())
        if known.paused or room(tables, queue) == 0:
            continue
        since += [row.changed_ms for row in in_order(tables, queue)]
        for row in tables.of_queue(queue):
            due = row.due_ms if row.state in ("ready", "sleeping") else None
            heads = row.in_lane is None or tables.heads.get(row.in_lane) in (None, row.id)
            if due is not None and due <= now and (heads or row.address.lane_policy == "skip"):
                since.append(due)
    return min(since, default=None)


def next_at_ms(tables: Tables, queues: Sequence[str]) -> int | None:
    """Return when something may be claimable: 0 for now, None when nothing is waiting."""
    if any(claimable(tables, queue) for queue in queues):
        return 0
    rows = tables.deliveries.values()
    moments = [row.due_ms for row in rows if row.state in ("ready", "sleeping")]
    moments += [row.until_ms for row in rows if row.state == "leased"]
    return min((at for at in moments if at is not None), default=None)
