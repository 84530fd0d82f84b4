"""What "claimable now" means: the conditions that all statements share.

A delivery can be claimed while it is READY, no older one of its lane is before it, and its
queue has ROOM. One that is DUE is counted as ready: the next claim makes it so. What is ready is
either FRESH, only enqueued so far, or APART. The partial indexes in schema.sql repeat these
conditions; tests look at the plans of the statements.
"""

from __future__ import annotations

# Of fp_delivery: it has not ended. SQLite builds a table of a list of more than two, each time.
ALIVE = "(state = 'ready' or state = 'leased' or state = 'sleeping')"
ALIVE_OR_PARKED = "(state = 'ready' or state = 'leased' or state = 'sleeping' or parked = 1)"
READY = "state = 'ready' and due_at_ms is null"
CLAIMABLE = f"{READY} and behind = 0"
SCHEDULED = "state = 'ready' and due_at_ms is not null"
DUE = "state = 'ready' and due_at_ms <= :now"
WOKEN = "state = 'sleeping' and due_at_ms <= :now"
# The same of what sleeps as well.
WAITS = "state in ('ready', 'sleeping') and due_at_ms is not null"
WAITED = "state in ('ready', 'sleeping') and due_at_ms <= :now"

# Of what is leased, and of nothing else.
LEASED = "lease_until_ms is not null"

# Of what is FRESH, the oldest has the least id.
FRESH = f"{CLAIMABLE} and priority = 0 and fence = 0 and changed_at_ms = tried_since_ms"
APART = (
    "(due_at_ms is not null or behind = 1 or priority <> 0 or fence > 0"
    " or changed_at_ms <> tried_since_ms)"
)

# What a queue has to claim; a limit follows. The second is in the order of claims.
THERE = f"""
  select 1
  from fp_delivery indexed by fp_delivery_fresh
  where queue = :queue and {FRESH}
  union all
  select 1
  from fp_delivery indexed by fp_delivery_ready
  where queue = :queue and {CLAIMABLE} and {APART}
"""
IN_ORDER = f"""
  select id as picked, priority as rank
  from fp_delivery indexed by fp_delivery_fresh
  where queue = :queue and {FRESH}
  union all
  select id, priority
  from fp_delivery indexed by fp_delivery_ready
  where queue = :queue and {CLAIMABLE} and {APART}
  order by rank desc, picked
"""

# Of fp_queue: how many more of its deliveries may be leased.
NO_BOUND = 2**63 - 1
ROOM = f"""case
    when paused then 0
    when max_leased is null then {NO_BOUND}
    else max(0, max_leased - leased)
  end"""

# Of fp_queue, in an update that counts some as leased no more: it had no room, and has work.
FREED = "ready and leased + :count >= max_leased"
