"""Counts of deliveries by queue and state, and when the next can be claimed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from ...types.queue_stats import QueueStats
from ..queue.claimable import APART, CLAIMABLE, DUE, FRESH, LEASED, READY, ROOM, WAITS, WOKEN
from ..session.session import Session

# A delivery that is due and that no claim has promoted yet counts as ready, also one that slept.
_STATS = f"""
select
  name, ready, scheduled, leased, sleeping, done, dead, cancelled, paused, max_leased, (
    select count(*)
    from fp_delivery indexed by fp_delivery_scheduled
    where queue = name and {DUE}
  ), (
    select min(due_at_ms)
    from fp_delivery indexed by fp_delivery_scheduled
    where queue = name and {DUE}
  ), (
    select changed_at_ms
    from fp_delivery indexed by fp_delivery_fresh
    where queue = name and {FRESH}
    order by id
    limit 1
  ), (
    select min(changed_at_ms)
    from fp_delivery indexed by fp_delivery_age
    where queue = name and {CLAIMABLE} and {APART}
  ), (
    select min(changed_at_ms)
    from fp_delivery indexed by fp_delivery_age
    where queue = name and behind = 1 and {READY} and {APART}
  ), (
    select count(*)
    from fp_delivery indexed by fp_delivery_sleeping
    where queue = name and {WOKEN}
  ), (
    select min(due_at_ms)
    from fp_delivery indexed by fp_delivery_sleeping
    where queue = name and {WOKEN}
  )
from fp_queue
order by name
"""

_LEFT = f"""
select exists (
  select 1
  from json_each(:queues) as asked
  cross join fp_queue on name = asked.value
  where ready + leased > 0 or sleeping > 0 and exists (
    select 1
    from fp_delivery indexed by fp_delivery_sleeping
    where queue = name and {WOKEN}
  )
)
"""

# "cross join" fixes the order: after ANALYZE, SQLite could trade the two sides for a scan.
_GIVING = f"""
  select name
  from json_each(:queues) as asked
  cross join fp_queue on name = asked.value
  where {ROOM} > 0
"""

_WAITING = f"""
select min(since)
from (
  select (
    select changed_at_ms
    from fp_delivery indexed by fp_delivery_fresh
    where queue = giving.name and {FRESH}
    order by id
    limit 1
  ) as since
  from ({_GIVING}) as giving
  union all
  select (
    select min(changed_at_ms)
    from fp_delivery indexed by fp_delivery_age
    where queue = giving.name and {CLAIMABLE} and {APART}
  ) as since
  from ({_GIVING}) as giving
  union all
  select (
    select due_at_ms
    from fp_delivery indexed by fp_delivery_scheduled
    where queue = giving.name and {DUE}
      and (behind = 0 or lane_policy = 'skip')
    order by due_at_ms
    limit 1
  ) as since
  from ({_GIVING}) as giving
  union all
  select (
    select due_at_ms
    from fp_delivery indexed by fp_delivery_sleeping
    where queue = giving.name and {WOKEN}
      and (behind = 0 or lane_policy = 'skip')
    order by due_at_ms
    limit 1
  ) as since
  from ({_GIVING}) as giving
)
"""

# 0 when something can be claimed now, else the next moment at which something may be, else null.
_NEXT = f"""
select case
  when exists (
    select 1
    from json_each(:queues) as asked
    cross join fp_queue on name = asked.value
    where {ROOM} > 0 and (
      exists (
        select 1
        from fp_delivery indexed by fp_delivery_fresh
        where queue = name and {FRESH}
      ) or exists (
        select 1
        from fp_delivery indexed by fp_delivery_ready
        where queue = name and {CLAIMABLE} and {APART}
      )
    )
  ) then 0
  else (
    select min(at)
    from (
      select min(due_at_ms) as at
      from fp_delivery
      where {WAITS}
      union all
      select min(lease_until_ms)
      from fp_delivery
      where {LEASED}
    )
  )
end
"""


class _Counted(NamedTuple):
    """A row of `_STATS`, whose columns stand in this order.

    Attributes:
        due: Of the scheduled ones, those whose time has come.
        due_since: When the first of them came due; the next three: since when the oldest waits.
        woken: Of the sleeping ones, those whose time has come, and since when.
    """

    name: str
    ready: int
    scheduled: int
    leased: int
    sleeping: int
    done: int
    dead: int
    cancelled: int
    paused: int
    max_leased: int | None
    due: int
    due_since: int | None
    fresh_since: int | None
    claimable_since: int | None
    behind_since: int | None
    woken: int
    woken_since: int | None


def stats(session: Session) -> dict[str, QueueStats]:
    """Return the counts of every queue that has had a delivery, by name."""
    now = session.now_ms()
    return {row[0]: _stats(_Counted(*row), now) for row in session.read(_STATS, {"now": now})}


def anything_left(session: Session, queues: Sequence[str]) -> bool:
    """True while a delivery of these queues is ready, scheduled or leased."""
    asked = {"queues": json.dumps(list(queues)), "now": session.now_ms()}
    return bool(session.read(_LEFT, asked)[0][0])


def waiting_since_ms(session: Session, queues: Sequence[str]) -> int | None:
    """Return when the oldest of what can be claimed became ready, None when there is nothing."""
    asked = {"queues": json.dumps(list(queues)), "now": session.now_ms()}
    since: int | None = session.read(_WAITING, asked)[0][0]
    return since


def next_at_ms(session: Session, queues: Sequence[str]) -> int | None:
    """Return when something may be claimable: 0 for now, None when nothing is waiting."""
    at: int | None = session.read(_NEXT, {"queues": json.dumps(list(queues))})[0][0]
    return at


def _stats(counted: _Counted, now: int) -> QueueStats:
    since = (
        counted.due_since,
        counted.fresh_since,
        counted.claimable_since,
        counted.behind_since,
        counted.woken_since,
    )
    oldest = min((at for at in since if at is not None), default=now)
    return QueueStats(
        ready=counted.ready - counted.scheduled + counted.due + counted.woken,
        scheduled=counted.scheduled - counted.due,
        leased=counted.leased,
        asleep=counted.sleeping - counted.woken,
        done=counted.done,
        dead=counted.dead,
        cancelled=counted.cancelled,
        oldest_ready_age=max(0, now - oldest) / 1000,
        paused=bool(counted.paused),
        max_leased=counted.max_leased,
    )
