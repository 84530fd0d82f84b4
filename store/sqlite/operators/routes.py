"""Routes off and on: the operators' part of the contract on SQLite."""

from __future__ import annotations

import contextlib
import json
from array import array
from collections.abc import Collection, Sequence

import apsw

from ...errors import LimitExceeded, QueueFull, StoreCorrupt
from ...types.messages.draft import Address
from ...types.messages.message import Message
from ...types.unserved import OffRoute
from .. import events
from ..file.space import again_when_refused
from ..queue import counters
from ..queue.arrival import deliveries
from ..queue.transitions import end_message
from ..rows import kept as kept_rows
from ..session.damage import tells
from ..session.session import Session, Write
from .routing import COLUMNS, as_message

_LIST = """
select queue, state, since_ms, (select count(*) from fp_unrouted where queue = fp_route.queue)
from fp_route
order by queue
"""

_TURN = """
insert into fp_route (queue, state, since_ms) values (:queue, :state, :now)
on conflict do update set state = :state, since_ms = :now where state <> :state
"""

_STATE = "select state from fp_route where queue = :queue"

_DRAINING = """
select queue
from fp_route
where state = 'draining' and queue in (select value from json_each(:queues)) and exists (
  select 1
  from fp_unrouted
  cross join fp_message on id = message_id
  where fp_unrouted.queue = fp_route.queue
    and source in (select value from json_each(:sources))
)
order by queue
"""

# With the size of each, so that not too many large ones are read at a time.
_OLDEST = """
select fp_message.id, coalesce(length(body), 0)
from fp_unrouted
cross join fp_message on fp_message.id = fp_unrouted.message_id
left join fp_body on fp_body.message_id = fp_message.id
where queue = :queue and source in (select value from json_each(:sources))
order by fp_unrouted.message_id
limit :limit
"""

_MESSAGES = f"""
select {COLUMNS}
from fp_message
left join fp_body on message_id = id
where id in carray(:ids)
order by id
"""

_ANY = "select message_id from fp_unrouted where queue = :queue order by message_id limit :limit"

_HAS_DELIVERY = """
select
  exists (select 1 from fp_delivery where message_id = :message),
  exists (select 1 from fp_delivery where message_id = :message and queue = :queue)
"""

_NO_ROUTE = """
update fp_message
set unrouted = 1, expires_at_ms = :now + keep_ms
where id = :message and unrouted = 0
"""

_MOST_BYTES = 8 * 1024 * 1024


@tells
class SqliteRoutes:
    """See fencepost.store.engine.operators.routes.RouteVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def off(self) -> list[OffRoute]:
        return [
            OffRoute(queue, state, since / 1000, count)
            for queue, state, since, count in self._session.read(_LIST)
        ]

    @again_when_refused
    def turn_off(self, queue: str) -> bool:
        with self._session.write("route_off") as write:
            return _turn(write, queue, "off")

    @again_when_refused
    def turn_on(self, queue: str) -> bool:
        with self._session.write("route_on") as write:
            if not write.run(_STATE, {"queue": queue}) or not _turn(write, queue, "draining"):
                return False
            kept_rows.drained(write, queue)
            write.wakes = True
            return True

    @again_when_refused
    def discard(self, queue: str, limit: int) -> int:
        with self._session.write("discard") as write:
            rows = write.run(_ANY, {"queue": queue, "limit": limit})
            for (message,) in rows:
                kept_rows.take(write, message, queue)
                end_message(write, message)
            kept_rows.drained(write, queue)
            return len(rows)

    def draining(self, queues: Collection[str], sources: Collection[str]) -> list[str]:
        asked = {"queues": json.dumps(list(queues)), "sources": json.dumps(list(sources))}
        return [queue for (queue,) in self._session.read(_DRAINING, asked)]

    def kept(self, queue: str, sources: Collection[str], limit: int) -> list[Message]:
        asked = {"queue": queue, "sources": json.dumps(list(sources)), "limit": limit}
        ids, bytes = array("q"), 0
        for id, size in self._session.read(_OLDEST, asked):
            bytes += size
            if ids and bytes > _MOST_BYTES:
                break
            ids.append(id)
        messages, damaged = list[Message](), list[tuple[int, str]]()
        for row in self._session.read(_MESSAGES, {"ids": apsw.carray(ids)}) if ids else ():
            try:
                messages.append(as_message(row, self._session.path))
            except (StoreCorrupt, ValueError, TypeError) as error:
                damaged.append((row[0], str(error)))
        if damaged:
            with self._session.write("drain") as write:
                for id, why in damaged:
                    if write.run(_STATE, {"queue": queue}) == [("draining",)]:
                        _take(write, queue, id, Address(queue, refused=why), 0)
                kept_rows.drained(write, queue)
        return messages

    @again_when_refused
    def drain(self, queue: str, routed: Sequence[tuple[Message, Address | None]]) -> list[bool]:
        with self._session.write("drain") as write:
            if write.run(_STATE, {"queue": queue}) != [("draining",)]:
                return [False] * len(routed)
            done = [False] * len(routed)
            for place, (message, address) in enumerate(routed):
                try:
                    done[place] = _take(write, queue, message.id, address, len(message.body))
                except QueueFull:
                    break  # what is newer must not go before it
            kept_rows.drained(write, queue)
            return done


def _turn(write: Write, queue: str, state: str) -> bool:
    changed = write.change(_TURN, {"queue": queue, "state": state, "now": write.now_ms})
    if changed:
        events.note(write, "route off" if state == "off" else "route on", detail=queue)
    return bool(changed)


def _take(write: Write, queue: str, message: int, address: Address | None, bytes: int) -> bool:
    """Route a message that is kept; False if it is kept no longer.

    Raises:
        QueueFull: Nothing was changed.
    """
    if address is not None and address.refused is None:
        # What never fits was accepted when there was no cap, and is handled.
        with contextlib.suppress(LimitExceeded):
            counters.require_room(write, queue, bytes)
    if not kept_rows.take(write, message, queue):
        return False
    some, here = write.one(_HAS_DELIVERY, {"message": message, "queue": queue})
    if here or (some and address is None):  # an operator has moved one there
        end_message(write, message)
    elif address is not None:
        deliveries.deliver(write, message, [address], bytes)
    else:
        write.run(_NO_ROUTE, {"message": message, "now": write.now_ms})
    return True
