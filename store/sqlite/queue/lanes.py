"""Lanes: of one lane at most one delivery can be claimed, the others wait behind it.

The one in front is the head: it is ready, leased, or dead and parked. A unique index
allows no second one. What becomes of a lane whose head cannot run is the policy:

strict  a head that waits for its time keeps the others waiting; a dead one does not
skip    a head that waits for its time lets the others go before
park    as strict, and a dead one too keeps the others waiting, until it is replayed or
        cancelled
"""

from __future__ import annotations

from ..session.session import Write

HAS_HEAD = """
select 1
from fp_delivery
where queue = :queue and lane = :lane and lane is not null and behind = 0
  and (state in ('ready', 'leased') or parked = 1)
"""

_ADVANCE = f"""
update fp_delivery
set behind = 0
where id = (
  select id
  from fp_delivery
  where queue = :queue and lane = :lane and state in ('ready', 'leased')
    and (due_at_ms is null or due_at_ms <= :now or lane_policy <> 'skip')
  order by id
  limit 1
) and not exists ({HAS_HEAD})
returning 1
"""


def is_behind(write: Write, queue: str, lane: str | None, *, stands_aside: bool) -> bool:
    """True when a delivery that joins this lane has to wait behind another."""
    if stands_aside or write.run(HAS_HEAD, {"queue": queue, "lane": lane}):
        return True
    # The time of one may have come that nobody has looked at since.
    return lane is not None and advance(write, queue, lane)


def stands_aside(policy: str, due_ms: int | None) -> bool:
    """True for a delivery that waits for its time and lets others of its lane go before."""
    return policy == "skip" and due_ms is not None


def advance(write: Write, queue: str, lane: str) -> bool:
    """Give a lane without a head the oldest that can be one; False when there is none."""
    found = bool(write.run(_ADVANCE, {"queue": queue, "lane": lane, "now": write.now_ms}))
    write.wakes |= found
    return found
