"""Which deliveries go along with the head of their lane."""

from __future__ import annotations

from ..claimable import ALIVE, READY

# What has failed alone goes alone, and what waits for its time is not there yet.
FOLLOWS = f"{READY} and behind = 1 and coalesce(group_most, 2) > 1"

# Of a head those behind it, so many at most as it may be handed over with. One that is older, as
# after a replay, has its turn with the next call.
BEHIND = f"""
  select id as picked
  from fp_delivery indexed by fp_delivery_lane
  where queue = :queue and lane = (select lane from fp_delivery where id = :head)
    and lane is not null and id > :head and {ALIVE} and {FOLLOWS}
  order by id
  limit max(0, min(:room, min(:most, coalesce(
    (select group_most from fp_delivery where id = :head), :most
  )) - 1))
"""
