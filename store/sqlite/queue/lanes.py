"""Lanes: one delivery at a time, the others wait behind it.

The one in front is the head: it is ready, leased, or dead and parked. A unique index
allows no second one. What becomes of a lane whose head cannot run is its policy: see
rules/lanes.py.
"""

from __future__ import annotations

from ..session.session import Write
from . import counters
from .claimable import ALIVE, ALIVE_OR_PARKED

HAS_HEAD = f"""
select 1
from fp_delivery
where queue = :queue and lane = :lane and lane is not null and behind = 0
  and {ALIVE_OR_PARKED}
"""

# What was never claimed waits until its window is over, as the head of a lane.
LEAD = """behind = 0,
    due_at_ms = coalesce(due_at_ms, iif(
      fence = 0 and changed_at_ms + window_ms > :now, changed_at_ms + window_ms, null
    ))"""

IS_IN_WINDOW = "fence = 0 and window_ms is not null and due_at_ms is not null"

_ADVANCE = f"""
update fp_delivery
set {LEAD}
where id = (
  select id
  from fp_delivery
  where queue = :queue and lane = :lane and {ALIVE}
    and (due_at_ms is null or due_at_ms <= :now or lane_policy <> 'skip')
  order by id
  limit 1
) and not exists ({HAS_HEAD})
returning {IS_IN_WINDOW}
"""


def is_behind(write: Write, queue: str, lane: str | None, *, stands_aside: bool) -> bool:
    """True when a delivery that joins this lane has to wait behind another."""
    if stands_aside or write.run(HAS_HEAD, {"queue": queue, "lane": lane}):
        return True
    # The time of one may have come that nobody has looked at since.
    return lane is not None and advance(write, queue, lane)


def advance(write: Write, queue: str, lane: str) -> bool:
    """Give a lane without a head the oldest that can be one; False when there is none."""
    found = write.run(_ADVANCE, {"queue": queue, "lane": lane, "now": write.now_ms})
    if not found:
        return False
    if found[0][0]:
        counters.scheduled(write, queue, 1)
    write.wakes = True
    return True
