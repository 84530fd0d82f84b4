"""Lanes: of one lane one delivery is at the head, and only that one can be claimed.

What becomes of a lane whose head cannot run is the policy:

strict  a head that waits for its time keeps the others waiting; a dead one does not
skip    a head that waits for its time lets the others go before
park    as strict, and a dead one too keeps the others waiting, until an operator acts
"""

from __future__ import annotations

from ..memory import Write
from ..rows import GOING, DeliveryRow
from ..tables import Lane, Tables


def stands_aside(row: DeliveryRow, now: int) -> bool:
    """True while it waits for its time and lets the others go before."""
    return row.address.lane_policy == "skip" and row.due_ms is not None and row.due_ms > now


def can_be_claimed(heads: dict[Lane, int], row: DeliveryRow) -> bool:
    """True unless it waits for another of its lane."""
    return row.in_lane is None or heads.get(row.in_lane) == row.id


def join(write: Write, row: DeliveryRow) -> None:
    """Let a delivery that is new in its lane wait there, behind those that are older."""
    if not stands_aside(row, write.now):
        fill(write, row.in_lane)


def leave(write: Write, row: DeliveryRow) -> None:
    """Let a delivery be the head of its lane no more."""
    if row.in_lane is not None and write.tables.heads.get(row.in_lane) == row.id:
        del write.tables.heads[row.in_lane]
    fill(write, row.in_lane)


def fill(write: Write, lane: Lane | None) -> None:
    """Give a lane without a head the oldest that can be one."""
    if lane is None or lane in write.tables.heads:
        return
    waiting = [
        row.id
        for row in write.tables.of_queue(lane[0])
        if row.lane == lane[1] and row.state in GOING and not stands_aside(row, write.now)
    ]
    if waiting:
        write.tables.heads[lane] = id = min(waiting)
        write.tables.deliveries[id] = _in_window(write.tables.deliveries[id], write.now)
        write.wakes = True


def _in_window(row: DeliveryRow, now: int) -> DeliveryRow:
    """Return a new head, which waits until its window is over if it was never claimed."""
    until = row.changed_ms + (row.window_ms or 0)
    waits = row.fence == 0 and row.due_ms is None and until > now
    return row._replace(due_ms=until) if waits else row


def head_of(tables: Tables, lane: Lane) -> DeliveryRow | None:
    """Return the head of a lane, None where it has none."""
    id = tables.heads.get(lane)
    return None if id is None else tables.deliveries[id]
