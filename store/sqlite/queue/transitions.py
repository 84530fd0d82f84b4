"""State transitions of a delivery: counters, lanes, retention.

Each verb writes the row with a statement of its own and then says so here, in the same
transaction, so that no change of state can leave its traces undone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import apsw

from ...rules import lanes as rules
from ...rules.failures.attempts import is_exhausted
from ...types.messages.state import STATES
from ...types.transaction import Row
from ..rows.steps import forget
from ..rows.told import tell
from ..session.session import Write
from . import counters, lanes
from .claimable import ALIVE_OR_PARKED, SCHEDULED

COLUMNS = f"""
  id, message_id, queue, lane, lane_policy, parked, state, bytes, attempt, max_attempts,
  tried_since_ms, retry_for_ms, coalesce(lease_until_ms <= :now, 0), {SCHEDULED}, origin, fence,
  lease_until_ms, behind, generation, window_ms is not null or group_most is not null
"""

# A row that nobody has changed since it was read: no claim, no end of one, no renewal.
AS_SEEN = "id = :id and fence = :fence and state = :was and lease_until_ms is :until"


class Standing(NamedTuple):
    """A delivery as it is before it moves.

    Attributes:
        lapsed: Its lease is over, though nobody may be there to take it back.
        scheduled: It is ready, and waits for its time.
        origin: The queue that it was first put in, should it have been moved.
        until: When its lease ends, or has ended; 0 when a reboot or a restore has ended it.
        behind: It waits for another one of its lane.
        generation: How often what its handler remembers was forgotten.
        joins: It is handed over with others of its lane, or has been.
    """

    id: int
    message_id: int
    queue: str
    lane: str | None
    lane_policy: str
    parked: int
    state: str
    bytes: int
    attempt: int
    max_attempts: int | None
    tried_since: int | None
    retry_for: int
    lapsed: int
    scheduled: int
    origin: str | None
    fence: int
    until: int | None
    behind: int
    generation: int
    joins: int

    @property
    def seen(self) -> dict[str, object]:
        """What AS_SEEN asks for."""
        return {"id": self.id, "fence": self.fence, "was": self.state, "until": self.until}

    def is_exhausted(self, now_ms: int) -> bool:
        """True when its attempts are used up, or it has been tried for as long as it should."""
        return is_exhausted(
            attempt=self.attempt,
            max_attempts=self.max_attempts,
            tried_since_ms=self.tried_since,
            retry_for_ms=self.retry_for,
            now_ms=now_ms,
            interrupted=self.until == 0,
        )

    @property
    def parks(self) -> bool:
        """It stays the head of its lane when it dies."""
        return not self.behind and rules.is_parked(self.lane, self.lane_policy)


def standings(
    write: Write, rows: Iterable[Row], state: str | None = None, *, scheduled: bool | None = None
) -> list[Standing]:
    """Return deliveries as they stand, each in the state that they were looked for by.

    An index and its table may disagree in a damaged store. Then what is found as ready is
    done, and whatever is made of it is found once more.

    Raises:
        StoreCorrupt: A column is not what the schema says, or the row is in another state.
    """
    found = []
    for row in rows:
        was = Standing(*row)
        sound = (
            all(isinstance(number, int) for number in (was.id, was.message_id, was.attempt))
            and isinstance(was.bytes, int)
            and isinstance(was.queue, str)
            and (was.lane is None or isinstance(was.lane, str))
            and was.state in STATES
        )
        if not sound:
            raise write.corrupt(f"delivery {was.id} is not as it was stored")
        if state not in (None, was.state) or scheduled not in (None, bool(was.scheduled)):
            raise write.corrupt(f"delivery {was.id} is {was.state}, and its index says otherwise")
        found.append(was)
    return found


# The first of the deliveries of a message to end does not end it, nor does the last while it is
# kept for a route that is off. What is dead or cancelled keeps the body as long as the key.
_END_OF = f"""
update fp_message
set (expires_at_ms, body_until_ms) = (
  select
    :now + max(
      fp_message.keep_ms, fp_message.keep_body_ms, coalesce(max(fp_queue.keep_body_ms), 0)
    ),
    case
      when total(state in ('dead', 'cancelled')) = 0
      then :now + nullif(max(fp_message.keep_body_ms, coalesce(max(fp_queue.keep_body_ms), 0)), 0)
    end
  from fp_delivery
  cross join fp_queue on name = queue
  where message_id = fp_message.id
)
where id :which and unrouted = 0 and not exists (
  select 1
  from fp_delivery
  where message_id = fp_message.id and {ALIVE_OR_PARKED}
)
returning id, body_until_ms
"""
_END = _END_OF.replace(":which", "= :message")
_END_EACH = _END_OF.replace(":which", "in carray(:messages)")

# What is dead or cancelled may be replayed.
_DROP_BODIES = """
delete from fp_body
where message_id in carray(:messages) and not exists (
  select 1
  from fp_delivery
  where fp_delivery.message_id = fp_body.message_id and state in ('dead', 'cancelled')
)
"""

_RETURN = "update fp_message set expires_at_ms = null, body_until_ms = null where id = :message"


def moved(
    write: Write,
    was: Standing,
    state: str,
    *,
    due: bool = False,
    stands_aside: bool = False,
    steps: bool = True,
) -> None:
    """Follow up on a delivery that has just been given another state.

    Args:
        was: The delivery as it stood before.
        due: It is ready, and waits for its time.
        stands_aside: It let go of the head of its lane, to wait behind the others.
        steps: There may be records of its steps.
    """
    if was.state != state:
        counters.moved(write, was.queue, was.state, state, was.bytes)
    if was.scheduled != due:
        counters.scheduled(write, was.queue, due - was.scheduled)
    write.wakes |= state == "ready"
    ended = state in counters.ENDS
    if ended:
        end_message(write, was.message_id)
        tell(write, [was.message_id])
        if steps and was.fence and state != "dead":  # which may be replayed
            forget(write, was.id)
    elif was.state in counters.ENDS:
        write.run(_RETURN, {"message": was.message_id})
    if was.lane is not None and (ended or stands_aside):
        lanes.advance(write, was.queue, was.lane)
    if state == "dead" and was.state != "dead":
        _died(write, was.id)


def _died(write: Write, id: int) -> None:
    from .deaths import died  # a message for its app is made by what imports this

    died(write, id)


def end_message(write: Write, message: int) -> None:
    """Let the retention of a message's key begin, once none of its deliveries goes on."""
    _ended(write, write.run(_END, {"message": message, "now": write.now_ms}))


def end_messages(write: Write, messages: Sequence[int]) -> None:
    """Do the same for several."""
    asked = {"messages": apsw.carray(array("q", messages)), "now": write.now_ms}
    _ended(write, write.run(_END_EACH, asked))


def _ended(write: Write, rows: Iterable[Row]) -> None:
    if bare := [message for message, body_until in rows if body_until is None]:
        write.run(_DROP_BODIES, {"messages": apsw.carray(array("q", bare))})
