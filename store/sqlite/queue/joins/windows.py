"""The window of a head: others arrive, and it waits longer or no longer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ....types.messages.draft import Address
from ...session.session import Write
from ..claimable import ALIVE, ALIVE_OR_PARKED

_HEAD = f"""queue = :queue and lane = :lane and lane is not null and behind = 0
  and {ALIVE_OR_PARKED}
  and state = 'ready' and fence = 0 and window_ms is not null and due_at_ms > :now"""

# Behind each of these there are as many now as fill a call with it. What has been claimed before
# is older than what was not. As the head of a lane one that is no head yet then waits no longer.
_FULL = f"""
update fp_delivery
set window_ms = 0, due_at_ms = iif(behind = 0, min(due_at_ms, :now), due_at_ms)
where state = 'ready' and fence = 0 and window_ms > 0 and id in (
  select id
  from fp_delivery
  where queue = :queue and lane = :lane and lane is not null and {ALIVE}
  order by id desc
  limit :count offset :most - 1
)
"""

_PROLONG = f"""
update fp_delivery
set due_at_ms = min(:now + :window, changed_at_ms + :bound)
where {_HEAD}
"""


def begin(rows: Iterable[list[Any]], now_ms: int) -> Counter[str]:
    """Let new rows that are the head of their lane wait; return how many do, by queue.

    Of a row these are told apart: 1 its queue, 4 whether it is behind, 7 when it is due, 14 its
    window.
    """
    waiting = Counter[str]()
    for row in rows:
        if row[14] and not row[4]:
            row[7] = now_ms + row[14]
            waiting[row[1]] += 1
    return waiting


def joined(write: Write, address: Address, count: int = 1) -> None:
    """Follow up on so many deliveries that have just joined a lane: windows may end, or go on."""
    join = address.join
    if join is None or address.lane is None or address.refused is not None:
        return
    given = {"queue": address.queue, "lane": address.lane, "now": write.now_ms}
    if join.bound_ms is not None:
        prolong = {**given, "window": join.window_ms, "bound": join.bound_ms}
        write.run(_PROLONG, prolong)
    write.run(_FULL, {**given, "most": join.most, "count": count})
