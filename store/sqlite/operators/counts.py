"""How much of what there is."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ...types.message import QueueStats
from ..session.session import Session

# Those whose time has come, and that no claim has taken note of yet, are counted among the ready.
_STATS = """
select
  name, ready, scheduled, leased, done, dead, cancelled, paused, max_leased, (
    select count(*)
    from fp_delivery indexed by fp_delivery_scheduled
    where queue = name and state = 'ready' and due_at_ms <= :now
  ), (
    select min(due_at_ms)
    from fp_delivery indexed by fp_delivery_scheduled
    where queue = name and state = 'ready' and due_at_ms <= :now
  ), (
    select min(changed_at_ms)
    from fp_delivery indexed by fp_delivery_age
    where queue = name and behind = 0 and state = 'ready' and due_at_ms is null
  ), (
    select min(changed_at_ms)
    from fp_delivery indexed by fp_delivery_age
    where queue = name and behind = 1 and state = 'ready' and due_at_ms is null
  )
from fp_queue
order by name
"""

_LEFT = """
select exists (
  select 1
  from json_each(:queues) as asked
  cross join fp_queue on name = asked.value
  where ready + leased > 0
)
"""

# "cross" keeps SQLite from trading the two sides for a scan when somebody has run ANALYZE.
# The queues that give something now. what is behind another waits for another of its lane.
_GIVING = """
  select name
  from json_each(:queues) as asked
  cross join fp_queue on name = asked.value
  where not paused and (max_leased is null or leased < max_leased)
"""

_WAITING = f"""
select min(since)
from (
  select (
    select min(changed_at_ms)
    from fp_delivery indexed by fp_delivery_age
    where queue = giving.name and behind = 0 and state = 'ready' and due_at_ms is null
  ) as since
  from ({_GIVING}) as giving
  union all
  select (
    select due_at_ms
    from fp_delivery indexed by fp_delivery_scheduled
    where queue = giving.name and state = 'ready' and due_at_ms <= :now
      and (behind = 0 or lane_policy = 'skip')
    order by due_at_ms
    limit 1
  ) as since
  from ({_GIVING}) as giving
)
"""  # noqa: S608 - a constant

# 0 when something is claimable, else the moment when something will be, else null.
_NEXT = """
select case
  when exists (
    select 1
    from json_each(:queues) as asked
    cross join fp_queue on name = asked.value
    cross join fp_delivery indexed by fp_delivery_ready on queue = name
    where state = 'ready' and due_at_ms is null and behind = 0
      and not paused and (max_leased is null or leased < max_leased)
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


def stats(session: Session) -> dict[str, QueueStats]:
    """Return the counts of every queue that has had a delivery, by name."""
    now = session.now_ms()
    found = {}
    for (
        name,
        ready,
        waiting,
        leased,
        done,
        dead,
        cancelled,
        paused,
        most,
        due,
        *since,
    ) in session.read(_STATS, {"now": now}):
        oldest = min((at for at in since if at is not None), default=now)
        found[name] = QueueStats(
            ready=ready - waiting + due,
            scheduled=waiting - due,
            leased=leased,
            done=done,
            dead=dead,
            cancelled=cancelled,
            oldest_ready_age=max(0, now - oldest) / 1000,
            paused=bool(paused),
            max_leased=most,
        )
    return found


def anything_left(session: Session, queues: Sequence[str]) -> bool:
    """True while a delivery of these queues is ready, scheduled or leased."""
    return bool(session.read(_LEFT, {"queues": json.dumps(list(queues))})[0][0])


def waiting_since_ms(session: Session, queues: Sequence[str]) -> int | None:
    """Return when the oldest of what can be claimed became ready, None when there is nothing."""
    asked = {"queues": json.dumps(list(queues)), "now": session.now_ms()}
    since: int | None = session.read(_WAITING, asked)[0][0]
    return since


def next_at_ms(session: Session, queues: Sequence[str]) -> int | None:
    """Return when something may be claimable: 0 for now, None when nothing is waiting."""
    at: int | None = session.read(_NEXT, {"queues": json.dumps(list(queues))})[0][0]
    return at
