"""Ending a group by set: its ack, in as many statements for five hundred as for two."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Self

import apsw
import msgspec

from ....engine.queue.claims import Hold
from ...session.session import Write
from .. import counters, lanes
from ..sets.note import Note
from ..sets.odd import OddSet

_ACK = """
update fp_delivery not indexed
set state = 'done', result = :result, error = null, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now,
    expires_at_ms = :now + (select keep_ms from fp_message where id = message_id)
where id in carray(:ids) and fence = :fence and token = :token
  and state = 'leased' and queue = :queue
  and (select keep_body_ms from fp_queue where name = :queue) = 0
"""

_DROP_BODIES = "delete from fp_body where message_id in carray(:ids)"


class GroupNote(msgspec.Struct, frozen=True, gc=False):
    """What the claim of a group knows of its deliveries that does not change until it ends.

    Attributes:
        bytes: Of all bodies as they came.
    """

    queue: str
    lane: str
    bytes: int
    messages: tuple[int, ...]

    @classmethod
    def of(cls, notes: Sequence[object]) -> Self | None:
        """Return it for the deliveries with these notes; None when one of them has none."""
        found = [note for note in notes if isinstance(note, Note)]
        if len(found) < len(notes) or found[0].lane is None:
            return None
        bytes = sum([note.bytes for note in found])
        return cls(found[0].queue, found[0].lane, bytes, tuple([n.message for n in found]))


def ids(hold: Hold) -> list[int]:
    """Return the deliveries of a group, oldest first."""
    return [hold.id, *hold.joined]


def ack(write: Write, hold: Hold, note: GroupNote, result: str | None) -> None:
    """Mark the deliveries of a group done.

    Raises:
        OddSet: One of them is not leased by it, or there is more to end than the deliveries.
    """
    group = ids(hold)
    given = {
        "ids": apsw.carray(array("q", group)),
        "fence": hold.fence,
        "token": hold.token,
        "queue": note.queue,
        "result": result,
        "now": write.now_ms,
    }
    if write.change(_ACK, given) != len(group):
        raise OddSet
    write.run(_DROP_BODIES, {"ids": apsw.carray(array("q", note.messages))})
    counters.moved(write, note.queue, "leased", "done", note.bytes, len(group))
    lanes.advance(write, note.queue, note.lane)
