"""Claiming a group by set: the head of a lane takes others along."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence

import apsw
from msgspec.structs import replace

from ....engine.queue.claims import Joined, Leased
from ....types.messages.limits import Limits
from ...session.session import Write
from .. import counters
from ..claim import bound, with_limits
from ..sets.leases import UNREADABLE, leased, picked
from ..sets.odd import OddSet
from .end import GroupNote
from .follows import BEHIND, FOLLOWS

_PICK = picked(BEHIND) + "order by picked"

_LEASE = f"""
update fp_delivery not indexed
set state = 'leased', fence = :fence, token = :token, settled_token = null, worker = :worker,
    holder_pid = :pid, attempt = attempt + 1, lease_until_ms = :until, changed_at_ms = :now,
    tried_since_ms = case attempt when 0 then :now else tried_since_ms end
where id in carray(:ids) and {FOLLOWS}
"""

_LEASE_WITH_LIMITS = with_limits(_LEASE)


def take_along(
    write: Write,
    heads: Sequence[Leased],
    *,
    room: int,
    most: int,
    worker: int | None,
    limits: Limits | None,
) -> list[Leased]:
    """Have each of these leases take along others of its lane; return them as groups.

    Args:
        room: How many more of the queue may be leased.
        most: How many may be in a group.

    Raises:
        OddSet: Not all of it can be read, or what was found cannot be leased.
    """
    groups = []
    for head in heads:
        others = _others(write, head, min(room, most), most)
        room -= len(others)
        if others:
            _lease(write, head, others, worker, limits)
        groups.append(grouped(head, others))
    return groups


def grouped(head: Leased, others: Sequence[Leased]) -> Leased:
    """Return the lease of a group; with no others, that of the head."""
    if not others:
        return head
    note = GroupNote.of([head.hold.note, *(each.hold.note for each in others)])
    ids = tuple([each.hold.id for each in others])
    joined = tuple([Joined(each.hold.id, each.message, each.attempt) for each in others])
    return replace(head, hold=replace(head.hold, note=note, joined=ids), joined=joined)


def _others(write: Write, head: Leased, room: int, most: int) -> list[Leased]:
    asked = {"queue": head.queue, "head": head.hold.id, "room": room, "most": most}
    try:
        rows = write.run(_PICK, asked)
        offset = head.hold.fence - head.hold.id
        return leased(rows, head.queue, offset, head.hold.token, head.term)
    except UNREADABLE as error:
        raise OddSet from error


def _lease(
    write: Write, head: Leased, others: Sequence[Leased], worker: int | None, limits: Limits | None
) -> None:
    lease = {
        "ids": apsw.carray(array("q", [each.hold.id for each in others])),
        "fence": head.hold.fence,
        "token": head.hold.token,
        "worker": worker,
        "pid": os.getpid(),
        "until": head.term.until_ms,
        "now": write.now_ms,
    }
    if limits is None:
        changed = write.change(_LEASE, lease)
    else:
        changed = write.change(_LEASE_WITH_LIMITS, lease | bound(limits))
    if changed != len(others):
        raise OddSet
    counters.moved(write, head.queue, "ready", "leased", 0, len(others))
