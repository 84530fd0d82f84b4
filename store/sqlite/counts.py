"""How much of what there is."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..message import QueueStats
from .door import Door

_STATS = """
select
  queue,
  count(*) filter (where state = 'ready' and coalesce(due_at_ms, 0) <= :now),
  count(*) filter (where state = 'ready' and due_at_ms > :now),
  count(*) filter (where state = 'leased'),
  count(*) filter (where state = 'done'),
  count(*) filter (where state = 'dead'),
  count(*) filter (where state = 'cancelled'),
  min(coalesce(due_at_ms, changed_at_ms))
    filter (where state = 'ready' and coalesce(due_at_ms, 0) <= :now)
from fp_delivery
group by queue
order by queue
"""

# "cross" keeps SQLite from trading the two sides for a scan when somebody has run ANALYZE.
# A part for each of the indexes that leave the tombstones out.
_LIVE = """
select exists (
  select 1
  from json_each(:queues) as asked
  cross join fp_delivery indexed by fp_delivery_ready on queue = asked.value
  where state = 'ready' and due_at_ms is null and held = 0
) or exists (
  select 1
  from json_each(:queues) as asked
  cross join fp_delivery on queue = asked.value
  where lane is not null and state in ('ready', 'leased')
) or exists (
  select 1
  from fp_delivery
  where state = 'ready' and due_at_ms is not null
    and queue in (select value from json_each(:queues))
) or exists (
  select 1
  from fp_delivery
  where state = 'leased' and queue in (select value from json_each(:queues))
)
"""

# 0 when something is claimable, else the moment when something will be, else null.
_NEXT = """
select case
  when exists (
    select 1
    from json_each(:queues) as asked
    cross join fp_delivery indexed by fp_delivery_ready on queue = asked.value
    where state = 'ready' and due_at_ms is null and held = 0
  ) then 0
  else (
    select min(at)
    from (
      select min(due_at_ms) as at
      from fp_delivery
      where state = 'ready' and due_at_ms is not null
      union all
      select min(lease_until_ms)
      from fp_delivery
      where state = 'leased'
    )
  )
end
"""


def stats(door: Door) -> dict[str, QueueStats]:
    """Return the counts of every queue that has had a delivery, by name."""
    now = door.now_ms()
    found = {}
    for queue, ready, scheduled, leased, done, dead, cancelled, oldest in door.read(
        _STATS, {"now": now}
    ):
        age = 0.0 if oldest is None else max(0, now - oldest) / 1000
        found[queue] = QueueStats(ready, scheduled, leased, done, dead, cancelled, age)
    return found


def anything_left(door: Door, queues: Sequence[str]) -> bool:
    """True while a delivery of these queues is ready, scheduled or leased."""
    return bool(door.read(_LIVE, {"queues": json.dumps(list(queues))})[0][0])


def next_at_ms(door: Door, queues: Sequence[str]) -> int | None:
    """Return when something may be claimable: 0 for now, None when nothing is waiting."""
    at: int | None = door.read(_NEXT, {"queues": json.dumps(list(queues))})[0][0]
    return at
