"""Claiming by set.

Of one call all claims have one random token, and the fence of each is the same distance from
its delivery's id: a set of them is proven by three values (end.py ends them so). The fences
of a call rise with the ids and are greater than all given out before; those between them are
never given out.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ....engine.ports.clock import Term
from ....engine.queue.claims import Leased
from ....types.messages.limits import Limits
from ....types.transaction import Row
from ...fences import MOST as MOST_FENCES
from ...session.session import Write
from .. import counters
from ..claim import bound, with_limits
from ..claimable import CLAIMABLE, IN_ORDER, LEASED, NO_BOUND, ROOM, THERE, WAITS
from ..due import promote_due
from ..joins.take import take_along
from ..reap import reap_expired
from .ids import OnIds
from .leases import UNREADABLE, leased, picked
from .odd import OddSet

# For each claim of a call, so that fences are not used up by a delivery of long ago beside a new
# one: a copy of the store counts on from 2**40 further (whole_file/lineage.py).
_MOST_APART = 32

# Is there something for upkeep to do first, how many more may be leased, and how many of those
# asked for are there?
_HEAD = f"""
select
  last_fence,
  coalesce((select min(lease_until_ms) from fp_delivery where {LEASED}) <= :now, 0),
  coalesce((
    select min(due_at_ms) from fp_delivery where {WAITS}
  ) <= :now, 0),
  coalesce((select {ROOM} from fp_queue where name = :queue), 0),
  (
    select count(*)
    from (
      {THERE}
      limit :limit
    )
  )
from fp_store
where one = 1
"""

_PICK = (
    picked(f"""
  {IN_ORDER}
  limit :limit
""")
    + "order by rank desc, picked"
)

_LEASE_TEXT = f"""
update fp_delivery not indexed
set state = 'leased', fence = :offset + id, token = :token, settled_token = null, worker = :worker,
    holder_pid = :pid, attempt = attempt + 1, lease_until_ms = :until, changed_at_ms = :now,
    tried_since_ms = case attempt when 0 then :now else tried_since_ms end
where id in :ids and {CLAIMABLE}
"""

_LEASE = OnIds(_LEASE_TEXT)

_LEASE_WITH_LIMITS = OnIds(with_limits(_LEASE_TEXT))

_FENCE = "update fp_store set last_fence = :last, seen_ms = max(seen_ms, :now)"


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

    With `prefetch` they are all of one queue, and at most as many as stand there. One of a queue
    in `joins` takes along others of its lane.

    Raises:
        OddSet: What was found cannot be leased as one set, or not all of it can be read.
    """
    term = Term(write.now_ms + lease_ms, lease_ms)
    token = secrets.token_hex(16)
    leases: list[Leased] = []
    more = False
    for name in names:
        wanted = limit - len(leases)
        if prefetch is not None:  # once there are some, others are only asked whether there is more
            wanted = 0 if leases else min(limit, prefetch[name])
        fence, room, ready = _look(write, name, wanted + 1)
        if prefetch is not None and room < NO_BOUND:
            wanted = min(wanted, 1)  # others could run the rest
        take = min(ready, room, wanted)
        if take:
            rows = _picked(write, name, take)
            offset = _lease(write, rows, fence, token, term.until_ms, worker, limits.get(name))
            try:
                found = leased(rows, name, offset, token, term)
            except UNREADABLE as error:
                raise OddSet from error
            counters.moved(write, name, "ready", "leased", 0, take)
            if name in joins:
                found = take_along(
                    write,
                    found,
                    room=room - take,
                    most=joins[name],
                    worker=worker,
                    limits=limits.get(name),
                )
            leases += found
            write.freed.discard(name)  # taken again; if that was not all, there is more
        more = min(ready, room) > take
        if more:
            break
    return leases, more


def _look(write: Write, queue: str, most: int) -> tuple[int, int, int]:
    """Return the last fence, how many may be leased, and how many can be, at most `most`."""
    asked = {"now": write.now_ms, "queue": queue, "limit": most}
    fence, expired, due, room, ready = write.one(_HEAD, asked)
    if expired or due:
        reap_expired(write)
        promote_due(write)
        fence, _, _, room, ready = write.one(_HEAD, asked)
    if not isinstance(fence, int):
        raise write.corrupt(f"the last fence is {fence!r}")
    return fence, room, ready


def _picked(write: Write, queue: str, count: int) -> list[Row]:
    try:
        rows = write.run(_PICK, {"queue": queue, "limit": count})
    except UNREADABLE as error:
        raise OddSet from error
    if len(rows) != count:
        raise OddSet
    return rows


def _lease(
    write: Write,
    rows: Sequence[Sequence[Any]],
    last_fence: int,
    token: str,
    until_ms: int,
    worker: int | None,
    limits: Limits | None,
) -> int:
    """Lease what was picked; return what is between a delivery's id and its fence."""
    ids = [row[0] for row in rows]
    least, greatest = min(ids), max(ids)
    offset: int = last_fence + 1 - least
    if greatest - least > _MOST_APART * len(ids) or offset + greatest > MOST_FENCES:
        raise OddSet
    lease = {
        "offset": offset,
        "token": token,
        "worker": worker,
        "pid": os.getpid(),
        "until": until_ms,
        "now": write.now_ms,
    }
    if limits is None:
        changed = _LEASE.change(write, ids, lease)
    else:
        changed = _LEASE_WITH_LIMITS.change(write, ids, lease | bound(limits))
    if changed != len(ids):
        raise OddSet
    write.must(_FENCE, {"last": offset + greatest, "now": write.now_ms})
    return offset
