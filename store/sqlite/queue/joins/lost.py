"""Groups whose worker has died or stalled."""

from __future__ import annotations

from collections.abc import Sequence

from ....rules.failures.backoff import backoff_ms
from ...session.session import Write
from ..claimable import ALIVE
from ..transitions import COLUMNS, Standing, standings
from . import back, latest

_OF_GROUP = f"""
select {COLUMNS}
from fp_delivery indexed by fp_delivery_lane
where queue = :queue and lane = :lane and lane is not null
  and {ALIVE} and state = 'leased' and fence = :fence
order by id
"""


def group_of(write: Write, was: Standing) -> list[Standing]:
    """Return what was claimed together with a delivery that is in a lane, with it."""
    of = {"queue": was.queue, "lane": was.lane, "fence": was.fence, "now": write.now_ms}
    return standings(write, write.run(_OF_GROUP, of), "leased")


def take_back(write: Write, group: Sequence[Standing], why: str) -> None:
    """Give a group back, oldest first, as one that failed."""
    due = write.now_ms + backoff_ms(group[-1].attempt)
    how = latest if group[-1].lane_policy == "latest" else back
    how.take_back(write, group, why, due)
