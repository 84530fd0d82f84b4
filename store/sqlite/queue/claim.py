"""Claiming ready deliveries row by row: by priority, then oldest first, in one transaction."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from ...engine import Hold, Leased
from ...engine.ports.clock import Term
from ...engine.queue.claims import Joined
from ...errors import StoreCorrupt
from ...types.messages.limits import Limits
from ...types.messages.message import Message
from ..fences import next_fences
from ..session.session import Write
from . import counters, payload
from .claimable import CLAIMABLE, IN_ORDER, ROOM
from .due import promote_due
from .joins.follows import BEHIND, FOLLOWS
from .reap import reap_expired
from .settle import bury_damaged
from .transitions import COLUMNS, Standing, standings

# Of the ready rows one more is looked at than is taken, and never more than the queue may have
# leased.
_PICK = f"""
select {COLUMNS}
from (
  {IN_ORDER}
  limit min(:limit, coalesce((select {ROOM} from fp_queue where name = :queue), 0))
)
cross join fp_delivery on id = picked
order by rank desc, picked
"""

_IS_LIMITED = "select 1 from fp_queue where name = :queue and max_leased is not null"

# The next claim goes on from there, and others come in between.
_MOST_BURIED = 500

_LEASE = f"""
update fp_delivery
set state = 'leased', fence = :fence, token = :token, settled_token = null, worker = :worker,
    holder_pid = :pid, attempt = attempt + 1, lease_until_ms = :until, changed_at_ms = :now,
    tried_since_ms = case attempt when 0 then :now else tried_since_ms end
where id = :id and {CLAIMABLE}
"""


def with_limits(lease: str) -> str:
    """Return the statement that leases and also sets limits anew; see `bound`."""
    return lease.replace(
        "where",
        """  , max_attempts = :max_attempts, retry_for_ms = :retry_for, max_crashes = :max_crashes,
    at_most_once = :once
where""",
    )


_LEASE_WITH_LIMITS = with_limits(_LEASE)

_BEHIND = f"""
select {COLUMNS}
from ({BEHIND})
cross join fp_delivery on id = picked
order by picked
"""

_LEASE_BEHIND = _LEASE.replace(CLAIMABLE, FOLLOWS)

_LEASE_BEHIND_WITH_LIMITS = with_limits(_LEASE_BEHIND)

_ROOM = f"select {ROOM} from fp_queue where name = :queue"

_MESSAGE = """
select
  id, source, key, event, cast(headers as blob), body, compressed, body_sha256, received_at_ms,
  copy_of
from fp_message
left join fp_body on message_id = id
where id = :id
"""


def claim(
    write: Write,
    names: Sequence[str],
    *,
    limit: int,
    lease_ms: int,
    worker: int | None,
    limits: Mapping[str, Limits],
    prefetch: Mapping[str, int] | None,
    joins: Mapping[str, int],
) -> tuple[list[Leased], bool]:
    """Lease at most `limit` deliveries, the queues asked in the order given; is there more?

    With `prefetch` they are all of one queue, and at most as many as stand there.

    A delivery whose stored row is damaged becomes a dead letter that says so, and the
    next one takes its place.
    """
    reap_expired(write)
    promote_due(write)
    found: list[tuple[Standing, Message]] = []
    more = False
    for name in names:
        if prefetch is None:
            room = limit - len(found)
        else:  # once some are found, the others are only asked whether there is more
            room = 0 if found else min(limit, _ahead(write, name, prefetch[name]))
        sound, more = _sound(write, name, room)
        found += sound
        if more:
            break
    if not found:
        return [], more
    term = Term(write.now_ms + lease_ms, lease_ms)
    leases = []
    for fence, (row, message) in zip(next_fences(write, len(found)), found, strict=True):
        hold = Hold(row.id, fence, secrets.token_hex(16), steps=row.fence > 0)
        lease = _lease(write, hold, term.until_ms, worker)
        if (most := limits.get(row.queue)) is None:
            write.must(_LEASE, lease)
        else:
            write.must(_LEASE_WITH_LIMITS, {**lease, **bound(most)})
        leases.append(
            Leased(hold, row.queue, message, row.attempt + 1, term, row.origin, row.generation)
        )
    for queue, count in Counter(row.queue for row, _ in found).items():
        counters.moved(write, queue, "ready", "leased", 0, count)
        write.freed.discard(queue)  # taken again; if that was not all, there is more
    if joins:
        leases = [
            _take_along(write, each, joins[each.queue], worker, limits.get(each.queue))
            if each.queue in joins
            else each
            for each in leases
        ]
    return leases, more


def _take_along(
    write: Write, head: Leased, most: int, worker: int | None, limits: Limits | None
) -> Leased:
    """Have the head of a lane take along those behind it that can be read."""
    ((room,),) = write.run(_ROOM, {"queue": head.queue})
    asked = {"queue": head.queue, "head": head.hold.id, "room": min(room, most), "most": most}
    found = standings(write, write.run(_BEHIND, {**asked, "now": write.now_ms}), "ready")
    others = []
    for row in found:
        if (message := _read(write, row)) is not None:
            others.append(Joined(row.id, message, row.attempt + 1))
            hold = Hold(row.id, head.hold.fence, head.hold.token)
            lease = _lease(write, hold, head.term.until_ms, worker)
            if limits is None:
                write.must(_LEASE_BEHIND, lease)
            else:
                write.must(_LEASE_BEHIND_WITH_LIMITS, {**lease, **bound(limits)})
    if not others:
        return head
    counters.moved(write, head.queue, "ready", "leased", 0, len(others))
    hold = structs.replace(head.hold, note=None, joined=tuple([each.id for each in others]))
    return structs.replace(head, hold=hold, joined=tuple(others))


def _lease(write: Write, hold: Hold, until_ms: int, worker: int | None) -> dict[str, Any]:
    return {
        "id": hold.id,
        "fence": hold.fence,
        "token": hold.token,
        "worker": worker,
        "pid": os.getpid(),
        "until": until_ms,
        "now": write.now_ms,
    }


def _ahead(write: Write, queue: str, most: int) -> int:
    """Return how many of a queue to take ahead: one where others could run the rest."""
    return most if most == 1 or not write.run(_IS_LIMITED, {"queue": queue}) else 1


def bound(limits: Limits) -> dict[str, int | None]:
    """Return what `with_limits` asks for."""
    return {
        "max_attempts": limits.max_attempts,
        "retry_for": limits.retry_for_ms,
        "max_crashes": limits.max_crashes,
        "once": int(limits.at_most_once),
    }


def _sound(write: Write, queue: str, limit: int) -> tuple[list[tuple[Standing, Message]], bool]:
    """Return at most `limit` claimable deliveries that can be read; are there more?"""
    buried = 0
    while True:
        rows = write.run(_PICK, {"queue": queue, "limit": limit + 1, "now": write.now_ms})
        picked = standings(write, rows, "ready", scheduled=False)
        found = [(row, message) for row in picked[:limit] if (message := _read(write, row))]
        # Those that could not be read are ready no more: an index that still has them is
        # damaged, and the next look at it says so.
        buried += len(picked[:limit]) - len(found)
        if len(found) == len(picked[:limit]) or buried >= _MOST_BURIED:
            return found, len(picked) > limit or buried >= _MOST_BURIED


def _read(write: Write, row: Standing) -> Message | None:
    try:
        return _message(write, row.message_id)
    except (StoreCorrupt, ValueError, TypeError) as error:
        bury_damaged(write, row, f"cannot be read: {error}")
        return None


def _message(write: Write, id: int) -> Message:
    ((number, source, key, event, headers, body, compressed, sha256, received, copied),) = (
        write.run(_MESSAGE, {"id": id})
    )
    return Message(
        id=number,
        source=source,
        key=key,
        event=event,
        headers=payload.headers(headers, operation="claim", path=write.path),
        body=payload.unpack(body, compressed, sha256),
        received_at=received / 1000,
        copy_of=copied,
    )
