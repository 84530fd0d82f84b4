"""Letting in what has become due, in bounded steps, and what wakes before."""

from __future__ import annotations

from collections import Counter

from ..session.session import Write
from . import counters, lanes
from .claimable import DUE, WAITED

# The most rows that one claim lets in for everybody; the rest is the next claim's.
_BATCH = 100

_DUE = f"""
select id, state
from fp_delivery
where {WAITED}
order by due_at_ms
limit :batch
"""

_PROMOTE = f"""
update fp_delivery
set changed_at_ms = due_at_ms, due_at_ms = null
where id = :id and {DUE}
returning queue, lane, behind
"""


# The time that it slept does not count for how long it may be tried.
_WAKE = """
update fp_delivery
set state = 'ready', asleep = null, changed_at_ms = min(due_at_ms, :now), due_at_ms = null,
    tried_since_ms = tried_since_ms + max(0, min(due_at_ms, :now) - changed_at_ms)
where id = :id and state = 'sleeping'
returning queue, bytes, lane, behind
"""


def promote_due(write: Write) -> None:
    """Let deliveries be claimed whose time has come, in the place their age gives them."""
    promoted: Counter[str] = Counter()
    for id, state in write.run(_DUE, {"now": write.now_ms, "batch": _BATCH}):
        if state == "sleeping":
            wake(write, id)
            continue
        queue, lane, behind = write.one(_PROMOTE, {"id": id, "now": write.now_ms})
        promoted[queue] += 1
        if behind:
            lanes.advance(write, queue, lane)
    for queue, count in promoted.items():
        counters.scheduled(write, queue, -count)


def wake(write: Write, id: int) -> None:
    """Let a delivery that sleeps be claimed."""
    queue, bytes, lane, behind = write.one(_WAKE, {"id": id, "now": write.now_ms})
    counters.moved(write, queue, "sleeping", "ready", bytes)
    write.wakes = True
    if behind:
        lanes.advance(write, queue, lane)
