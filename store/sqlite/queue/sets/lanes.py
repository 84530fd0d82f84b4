"""Lanes by set: who of those that join waits, and who comes next where one has ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import apsw

from ....rules.lanes import stands_aside
from ...session.session import Write
from .. import counters, lanes
from ..claimable import ALIVE, ALIVE_OR_PARKED

# Up to here one statement for each is faster.
_FEW = 10

_WITH_HEAD = f"""
select lane
from fp_delivery
where queue = :queue and lane in carray(:lanes) and lane is not null and behind = 0
  and {ALIVE_OR_PARKED}
"""

_WITH_OTHERS = f"""
select distinct lane
from fp_delivery
where queue = :queue and lane in carray(:lanes) and lane is not null and {ALIVE}
"""

# lanes.py advances one.
_ADVANCE = f"""
update fp_delivery
set {lanes.LEAD}
where id in (
  select (
    select id
    from fp_delivery
    where queue = :queue and lane = asked.value and lane is not null and {ALIVE}
      and (due_at_ms is null or due_at_ms <= :now or lane_policy <> 'skip')
    order by id
    limit 1
  )
  from carray(:lanes) as asked
  where not exists (
    select 1
    from fp_delivery
    where queue = :queue and lane = asked.value and lane is not null and behind = 0
      and {ALIVE_OR_PARKED}
  )
)
returning {lanes.IS_IN_WINDOW}
"""


def join(write: Write, rows: Iterable[list[Any]]) -> None:
    """Say in each new row of a lane whether it waits for another; they join in this order.

    Of a row these are told apart: 1 its queue, 2 its lane, 3 its lane's policy, 4 whether it
    is behind, 7 when it is due.
    """
    joining: dict[str, list[list[Any]]] = {}
    for row in rows:
        if row[2] is not None:
            joining.setdefault(row[1], []).append(row)
    for queue, these in joining.items():
        free = _free(write, queue, {row[2] for row in these})
        for row in these:
            lane = row[2]
            if lane in free and not stands_aside(lane, row[3], row[7]):
                free.discard(lane)
            else:
                row[4] = 1


def _free(write: Write, queue: str, names: set[str]) -> set[str]:
    """Return which lanes have no head, nor one that could be it now."""
    if len(names) <= _FEW:
        return {
            name for name in names if not lanes.is_behind(write, queue, name, stands_aside=False)
        }
    asked = _bind(queue, names)
    led = {lane for (lane,) in write.run(_WITH_HEAD, asked)}
    waiting = {lane for (lane,) in write.run(_WITH_OTHERS, asked)}
    for lane in waiting - led:
        # The time of one may have come that nobody has looked at since.
        if lanes.advance(write, queue, lane):
            led.add(lane)
    return names - led


def advance(write: Write, queue: str, names: Collection[str]) -> None:
    """Give each of these lanes without a head the oldest that can be one."""
    if len(names) <= _FEW:
        for name in names:
            lanes.advance(write, queue, name)
        return
    found = write.run(_ADVANCE, {**_bind(queue, names), "now": write.now_ms})
    if waiting := sum(in_window for (in_window,) in found):
        counters.scheduled(write, queue, waiting)
    write.wakes |= bool(found)


def _bind(queue: str, names: Iterable[str]) -> dict[str, Any]:
    lanes = apsw.carray(tuple(names), flags=apsw.SQLITE_CARRAY_TEXT)
    return {"queue": queue, "lanes": lanes}
