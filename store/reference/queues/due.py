"""Letting in what has become due, and what wakes before."""

from __future__ import annotations

from ..memory import Write
from ..rows import DeliveryRow
from . import lanes


def promote_due(write: Write) -> None:
    """Let deliveries be claimed whose time has come, in the order in which it came."""
    due = [
        (row.due_ms, row.id)
        for row in write.tables.deliveries.values()
        if row.state in ("ready", "sleeping") and row.due_ms is not None and row.due_ms <= write.now
    ]
    for _, id in sorted(due):
        wake(write, write.tables.deliveries[id])


def wake(write: Write, row: DeliveryRow) -> None:
    """Let a delivery be claimed that waited for its time, or slept."""
    assert row.due_ms is not None
    since_ms = min(row.due_ms, write.now)
    # The time that it slept does not count for how long it may be tried.
    slept_ms = max(0, since_ms - row.changed_ms) if row.state == "sleeping" else 0
    ready = row._replace(
        state="ready",
        asleep=None,
        due_ms=None,
        changed_ms=since_ms,
        tried_since_ms=row.tried_since_ms + slept_ms,
    )
    write.tables.deliveries[row.id] = ready
    write.wakes = True
    lanes.fill(write, row.in_lane)
