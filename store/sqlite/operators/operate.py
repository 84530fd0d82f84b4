"""Replay, cancel, pause and limit."""

from __future__ import annotations

from ...types.delivery import Forget, Outcome
from ..queue import counters
from ..queue.counters import LIVE
from ..queue.lanes import is_behind
from ..queue.transitions import AS_SEEN, COLUMNS, Standing, moved, standings
from ..rows.steps import forget_from
from ..session.session import Write

_FIND = f"select {COLUMNS} from fp_delivery where id = :id"

_HOLDER = "select holder_pid from fp_delivery where id = :id"

_HAS_BODY = "select 1 from fp_body where message_id = :id"

_REPLAY = f"""
update fp_delivery
set state = 'ready', attempt = 0, crashes = 0, due_at_ms = null, token = null, settled_token = null,
    parked = 0, behind = :behind, changed_at_ms = :now
where {AS_SEEN}
"""

# Its scope is a new one's alone, so that the key stays with the original; until its id is
# known, one that no copy has. What is copied may be a copy itself.
_COPY_MESSAGE = """
insert into fp_message (
  scope, source, key, event, headers, body_sha256, received_at_ms, keep_ms, keep_body_ms, copy_of
)
select
  'copy/new', source, key, event, headers, body_sha256, received_at_ms, keep_ms, keep_body_ms, id
from fp_message
where id = :id
"""

_OWN_SCOPE = "update fp_message set scope = 'copy/' || id where id = :copy"

_COPY_BODY = """
insert into fp_body (message_id, body, compressed, outgoing)
select :copy, body, compressed, outgoing
from fp_body
where message_id = :id
"""

_COPY_DELIVERY = """
insert into fp_delivery (
  message_id, queue, origin, lane, lane_policy, behind, priority, state, max_attempts, retry_for_ms,
  tried_since_ms, at_most_once, max_crashes, bytes, changed_at_ms
)
select
  :copy, queue, origin, lane, lane_policy, :behind, priority, 'ready', max_attempts, retry_for_ms,
  :now, at_most_once, max_crashes, bytes, :now
from fp_delivery
where id = :id
"""

# A lease that is over counts as none, though nobody may be there to take it back.
_CANCEL = f"""
update fp_delivery
set state = 'cancelled', asleep = null, parked = 0, due_at_ms = null, lease_until_ms = null, token = null,
    settled_token = null, changed_at_ms = :now
where {AS_SEEN}
"""


def replay(write: Write, id: int, forget: Forget = None) -> Outcome:
    """Make a dead or cancelled delivery ready again, its attempts counted anew.

    What is done stays so: a copy of the message goes to the same queue. A delivery that has
    no such step as is to be forgotten is not changed.
    """
    was = find(write, id)
    if was is None:
        return Outcome("not_found")
    if was.state == "sleeping":
        return Outcome("sleeping")
    if was.state in LIVE:
        return claimed(write, id) if was.state == "leased" else Outcome("active")
    if not write.run(_HAS_BODY, {"id": was.message_id}):
        return Outcome("unrecoverable")
    if was.state == "done":
        return _copy(write, was)
    if forget is not None and not forget_from(write, was.id, forget):
        return Outcome("no_such_step")
    # One that is parked is still the head of its lane.
    behind = not was.parked and is_behind(write, was.queue, was.lane, stands_aside=False)
    write.must(_REPLAY, {**was.seen, "behind": int(behind), "now": write.now_ms})
    moved(write, was, "ready")
    return Outcome("replayed")


def cancel(write: Write, id: int) -> Outcome:
    """End a delivery that nobody holds, or give up a dead one for good."""
    was = find(write, id)
    if was is None:
        return Outcome("not_found")
    if was.state == "leased" and not was.lapsed:
        return claimed(write, id)
    if was.state == "done":
        return Outcome("completed")
    if was.state == "cancelled":
        return Outcome("already_cancelled")
    write.must(_CANCEL, {**was.seen, "now": write.now_ms})
    moved(write, was, "cancelled")
    return Outcome("cancelled")


def _copy(write: Write, was: Standing) -> Outcome:
    write.run(_COPY_MESSAGE, {"id": was.message_id})
    copy = write.last_id
    write.run(_OWN_SCOPE, {"copy": copy})
    write.run(_COPY_BODY, {"id": was.message_id, "copy": copy})
    behind = is_behind(write, was.queue, was.lane, stands_aside=False)
    new = {"id": was.id, "copy": copy, "behind": int(behind), "now": write.now_ms}
    write.run(_COPY_DELIVERY, new)
    delivery = write.last_id
    counters.arrived(write, was.queue, "ready", was.bytes)
    write.wakes = True
    return Outcome("copied", delivery=delivery, message=copy)


def claimed(write: Write, id: int) -> Outcome:
    """Say which process holds a delivery."""
    (pid,) = write.one(_HOLDER, {"id": id})
    return Outcome("claimed", holder=pid)


def find(write: Write, id: int) -> Standing | None:
    """Return a delivery as it stands."""
    rows = write.run(_FIND, {"id": id, "now": write.now_ms})
    return next(iter(standings(write, rows)), None)
