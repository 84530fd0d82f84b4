"""Lanes: what a lane does while the delivery at its head cannot run.

strict  a head that waits for its time keeps the others waiting; a dead one does not
skip    a head that waits for its time lets the others go before
park    as strict, and a dead one too keeps the others waiting, until it is replayed or
        cancelled

Of those that can be the head of a lane without one, the oldest is: it has the smallest id.
"""

from __future__ import annotations


def stands_aside(lane: str | None, policy: str, due_ms: int | None) -> bool:
    """True for a delivery that waits for its time and lets others of its lane go before."""
    return lane is not None and policy == "skip" and due_ms is not None


def is_parked(lane: str | None, policy: str) -> bool:
    """True for a delivery that stays the head of its lane when it dies."""
    return lane is not None and policy == "park"
