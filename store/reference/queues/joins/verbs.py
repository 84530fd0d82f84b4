"""Groups: what is handed over with the head of its lane, and ended with it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec import structs

from ....engine import Hold, Leased
from ....engine.durable.joins import Apart
from ....engine.queue.claims import Joined
from ....types.messages.draft import Address
from ....types.messages.limits import Limits
from ....types.messages.message import Message
from ...memory import Session, Write
from ...rows import GOING, DeliveryRow
from .. import settle
from ..lanes import head_of


class PlainJoins:
    """See fencepost.store.engine.durable.joins.JoinVerbs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def settle(self, hold: Hold, apart: Sequence[Apart], result: str | None) -> None:
        with self._session.write("settle") as write:
            rows = [write.tables.deliveries.get(id) for id in (hold.id, *hold.joined)]
            if all(row and (row.fence, row.settled) == (hold.fence, hold.token) for row in rows):
                return
            each = settle.parts(write, hold, "settle")
            failed = {one.delivery: one for one in apart}
            for one in each:
                if (how := failed.get(one.id)) is None:
                    settle.ack(write, one, result)
                elif how.delay_ms is None:
                    settle.bury(write, one, how.error)
                else:
                    settle.retry(write, one, how.delay_ms, how.error, alone=True)
            settle.count(write, hold.counts or {})


def arrived(write: Write, address: Address) -> None:
    """End a window of a lane, or begin that of its head anew, because one more has come."""
    join = address.join
    if join is None or address.lane is None or address.refused is not None:
        return
    head = head_of(write.tables, (address.queue, address.lane))
    if join.bound_ms is not None and head is not None and _is_in_window(head, write.now):
        due = min(write.now + join.window_ms, head.changed_ms + join.bound_ms)
        write.tables.deliveries[head.id] = head._replace(due_ms=due)
    in_lane = (address.queue, address.lane)
    of_queue = write.tables.of_queue(address.queue)
    going = sorted(row.id for row in of_queue if row.in_lane == in_lane and row.state in GOING)
    if len(going) < join.most:
        return
    full = write.tables.deliveries[going[-join.most]]
    if full.state == "ready" and full.fence == 0 and full.window_ms:
        due_ms = full.due_ms
        if head is not None and head.id == full.id and due_ms is not None:
            due_ms = min(due_ms, write.now)
        write.tables.deliveries[full.id] = full._replace(window_ms=0, due_ms=due_ms)


def _is_in_window(head: DeliveryRow, now: int) -> bool:
    is_new = head.fence == 0 and head.window_ms is not None and head.state == "ready"
    return is_new and head.due_ms is not None and head.due_ms > now


def behind(write: Write, head: DeliveryRow, most: int, room: int | None) -> list[DeliveryRow]:
    """Return what goes along with the head of a lane, oldest first."""
    if head.in_lane is None:
        return []
    others = [
        row
        for row in write.tables.of_queue(head.queue)
        if row.in_lane == head.in_lane
        and row.id > head.id
        and row.state == "ready"
        and row.due_ms is None
        and (row.group_most is None or row.group_most > 1)
    ]
    most = most if head.group_most is None else min(most, head.group_most)
    return others[: most - 1 if room is None else min(most - 1, room)]


def take_along(
    write: Write,
    head: Leased,
    others: Sequence[DeliveryRow],
    owner: int | None,
    limits: Limits | None,
) -> Leased:
    """Lease others with the fence and the token of the head."""
    joined = []
    for row in others:
        write.tables.deliveries[row.id] = leased = row._replace(
            state="leased",
            attempt=row.attempt + 1,
            limits=limits or row.limits,
            fence=head.hold.fence,
            token=head.hold.token,
            settled=None,
            worker=owner,
            pid=os.getpid(),
            until_ms=head.term.until_ms,
            changed_ms=write.now,
            tried_since_ms=row.tried_since_ms if row.attempt else write.now,
        )
        joined.append(Joined(row.id, _message(write, row), leased.attempt))
    if not joined:
        return head
    hold = structs.replace(head.hold, joined=tuple(each.id for each in joined))
    return structs.replace(head, hold=hold, joined=tuple(joined))


def _message(write: Write, row: DeliveryRow) -> Message:
    from ..claim import message  # which claims with this

    return message(write.tables.messages[row.message])
