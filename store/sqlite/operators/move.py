"""Moving deliveries to another queue."""

from __future__ import annotations

from ...types.delivery import Outcome
from ...types.messages.draft import queue_scope
from ..queue import counters, lanes, retention
from ..queue.retention import KEPT_UNTIL
from ..queue.transitions import AS_SEEN, Standing, end_message
from ..session.session import Write
from . import operate

_PRESENT = "select 1 from fp_delivery where message_id = :message and queue = :queue"

# A job's key is unique within its queue, and goes with it.
_SAME_KEY = f"""
select fp_message.id, coalesce({KEPT_UNTIL} <= :now, 0)
from fp_message as mine
cross join fp_message on fp_message.key = mine.key and fp_message.scope = :new
where mine.id = :message and mine.scope = :old
"""

_RESCOPE = "update fp_message set scope = :new where id = :message and scope = :old"

# A head that is newer, and that nobody has claimed, lets an older one go before.
_STEP_BACK = """
update fp_delivery
set behind = 1
where queue = :queue and lane = :lane and behind = 0 and state in ('ready', 'sleeping')
  and id > :id
"""

_MOVE = f"""
update fp_delivery
set queue = :queue, origin = coalesce(origin, queue), behind = :behind, parked = :parked
where {AS_SEEN}
"""


def move(write: Write, id: int, queue: str) -> Outcome:
    """Give a delivery that waits, sleeps or is dead to another queue.

    Its lane goes on there, oldest first; one that was parked is no more when the lane has
    a head there.
    """
    was = operate.find(write, id)
    if was is None:
        return Outcome("not_found")
    if was.state == "leased":
        return operate.claimed(write, id)
    if was.state == "done":
        return Outcome("completed")
    if was.state == "cancelled":
        return Outcome("already_cancelled")
    if not _has_room_for(write, was, queue):
        return Outcome("present")
    behind, parked = _place(write, was, queue)
    place = {**was.seen, "queue": queue, "behind": int(behind), "parked": int(parked)}
    write.must(_MOVE, place)
    waits = was.state in ("ready", "sleeping")
    live = was.bytes if was.state == "ready" else 0
    counters.left(write, was.queue, was.state, 1, bytes=live, due=was.scheduled)
    counters.arrived(write, queue, was.state, was.bytes, scheduled=int(bool(was.scheduled)))
    write.wakes |= waits
    if was.lane is not None:
        lanes.advance(write, was.queue, was.lane)
    if was.parked and not parked:
        end_message(write, was.message_id)
    return Outcome("moved")


def _has_room_for(write: Write, was: Standing, queue: str) -> bool:
    """False when the message has a delivery there, or its key is another's there."""
    if write.run(_PRESENT, {"message": was.message_id, "queue": queue}):
        return False
    scopes = {
        "message": was.message_id,
        "old": queue_scope(was.queue),
        "new": queue_scope(queue),
    }
    for other, forgotten in write.run(_SAME_KEY, {**scopes, "now": write.now_ms}):
        if not forgotten:
            return False
        retention.forget(write, other)
    write.run(_RESCOPE, scopes)
    return True


def _place(write: Write, was: Standing, queue: str) -> tuple[bool, bool]:
    """Return whether it waits behind another of its lane there, and whether it is parked."""
    if was.lane is None or (was.state == "dead" and not was.parked):
        return False, False
    if (was.scheduled or was.state == "sleeping") and was.lane_policy == "skip":
        return True, False
    lane = {"queue": queue, "lane": was.lane}
    write.run(_STEP_BACK, {**lane, "id": was.id})
    has_head = bool(write.run(lanes.HAS_HEAD, lane))
    return has_head and was.state != "dead", bool(was.parked) and not has_head
