"""Unrouted messages: listed, counted, and routed again.

Of `unrouted` in fp_message: 0 once it has a delivery, 1 while no route has matched it, 2 when
an operator wants it to be routed again. Then a worker of an app with its source does that. -1 is
of routes that are off (rows/kept.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from ...errors import StoreCorrupt
from ...types.delivery import Outcome
from ...types.messages.draft import Address
from ...types.messages.message import Message
from ...types.unserved import Conflicts, Unrouted, UnroutedCount, Unserved
from ..file.space import again_when_full, again_when_refused
from ..pools.register import SqlitePools
from ..queue import payload
from ..queue.arrival import redelivery
from ..session.damage import corrupt, tells
from ..session.session import Session, Write

# One statement for each index: the first is in the order of arrival, the second of one event.
_ROWS = """
select id, source, key, event, received_at_ms, expires_at_ms, unrouted
from fp_message indexed by {index}
where unrouted > 0 and {condition}
  and (:key is null or key = :key) and received_at_ms >= :since and id < :before
order by id desc
limit :limit
"""

_LIST = _ROWS.format(
    index="fp_message_unrouted_age",
    condition="(:source is null or source = :source) and (:event is null or event = :event)",
)

_LIST_OF_EVENT = _ROWS.format(
    index="fp_message_unrouted", condition="source = :source and event = :event"
)

_OFF = "select queue from fp_route order by queue"

_KEPT = """
select fp_message.id, source, key, event, received_at_ms, expires_at_ms, unrouted
from fp_unrouted
cross join fp_message on fp_message.id = message_id
where queue = :queue and message_id < :before
  and (:source is null or source = :source) and (:event is null or event = :event)
  and (:key is null or key = :key) and received_at_ms >= :since
order by message_id desc
limit :limit
"""

_NO_END = 2**63 - 1

_COUNTS = """
select counted.source, counted.event, count, received_at_ms
from (
  select source, event, count(*) as count, min(id) as oldest
  from fp_message indexed by fp_message_unrouted
  where unrouted > 0
  group by source, event
) as counted
join fp_message on id = oldest
"""

# Of fp_message and its fp_body.
COLUMNS = """
  id, source, key, event, cast(headers as blob), body, compressed, body_sha256, received_at_ms
"""

_MESSAGE = f"""
select unrouted, {COLUMNS}
from fp_message
left join fp_body on message_id = id
where id = :id
"""

# It must not be forgotten while it waits for a worker.
_ASK = "update fp_message set unrouted = 2, expires_at_ms = null where id = :id"

_TO_ROUTE = f"""
select unrouted, {COLUMNS}
from fp_message indexed by fp_message_to_route
left join fp_body on message_id = id
where unrouted = 2 and source in (select value from json_each(:sources))
order by id
limit :limit
"""

_ANYTHING = """
select 1
from fp_message indexed by fp_message_to_route
where unrouted = 2 and source in (select value from json_each(:sources))
limit 1
"""

_IS_TO_ROUTE = "select 1 from fp_message where id = :id and unrouted = 2"

_LEAVE = "update fp_message set unrouted = 1, expires_at_ms = :now + keep_ms where id = :id"

_HOLDING = """
select name, ready + sleeping, leased
from fp_queue
where ready + sleeping + leased > 0
order by name
"""

_CONFLICTS = """
select source, conflicts, key, last_at_ms
from fp_conflict
order by source
"""

_KEYS = "select count(*) from fp_message where key is not null and scope = :source"


@tells
class SqliteRouting:
    """See fencepost.store.engine.operators.routing.RoutingVerbs; the methods stand in its order."""

    def __init__(self, session: Session, pools: SqlitePools) -> None:
        self._session = session
        self._pools = pools

    def unrouted(
        self,
        *,
        source: str | None = None,
        event: str | None = None,
        key: str | None = None,
        since_ms: int | None = None,
        limit: int,
        before: int | None = None,
    ) -> list[Unrouted]:
        of_event = source is not None and event is not None
        asked = {
            "source": source,
            "event": event,
            "key": key,
            "since": since_ms or 0,
            "before": _NO_END if before is None else before,
            "limit": limit,
        }
        found = {
            row[0]: row for row in self._session.read(_LIST_OF_EVENT if of_event else _LIST, asked)
        }
        kept_for: dict[int, list[str]] = {}
        for (queue,) in self._session.read(_OFF):
            for row in self._session.read(_KEPT, {**asked, "queue": queue}):
                found[row[0]] = row
                kept_for.setdefault(row[0], []).append(queue)
        newest = sorted(found, reverse=True)[:limit]
        return [_unrouted(found[id], kept_for.get(id, ())) for id in newest]

    def unrouted_counts(self) -> list[UnroutedCount]:
        return [
            UnroutedCount(source, event, count, oldest / 1000)
            for source, event, count, oldest in self._session.read(_COUNTS)
        ]

    @again_when_refused
    def replay_unrouted(self, ids: Sequence[int]) -> list[Outcome]:
        with self._session.write("replay") as write:
            return [_replay(write, id) for id in ids]

    def to_route(self, sources: Collection[str], limit: int) -> list[Message]:
        asked = {"sources": json.dumps(list(sources)), "limit": limit}
        messages, damaged = [], []
        for mark, *row in self._session.read(_TO_ROUTE, asked):
            if mark != 2:  # it would be found again and again
                what = f"message {row[0]} is routed, and its index says otherwise"
                raise corrupt(self._session.path, "route", what)
            try:
                messages.append(as_message(row, self._session.path))
            except (StoreCorrupt, ValueError, TypeError):
                damaged.append(row[0])
        if damaged:
            with self._session.write("route") as write:
                for id in damaged:
                    write.must(_LEAVE, {"id": id, "now": write.now_ms})
        return messages

    def anything_to_route(self, sources: Collection[str]) -> bool:
        return bool(self._session.read(_ANYTHING, {"sources": json.dumps(list(sources))}))

    @again_when_full
    def route(self, routed: Sequence[tuple[Message, Sequence[Address]]]) -> list[bool]:
        with self._session.write("route") as write:
            return [_route(write, message, addresses) for message, addresses in routed]

    def unserved(self) -> list[Unserved]:
        pools = [pool for pool in self._pools.pools() if pool.state != "lost"]
        if any(pool.queues is None for pool in pools):
            return []  # it did not say which
        served = {queue for pool in pools for queue in pool.queues or ()}
        return [Unserved(*row) for row in self._session.read(_HOLDING) if row[0] not in served]

    def conflicts(self) -> list[Conflicts]:
        return [
            Conflicts(source, conflicts, key, last / 1000)
            for source, conflicts, key, last in self._session.read(_CONFLICTS)
        ]

    def keys_of(self, source: str) -> int:
        ((keys,),) = self._session.read(_KEYS, {"source": source})
        return int(keys)


def _unrouted(row: Sequence[Any], kept_for: Sequence[str]) -> Unrouted:
    id, source, key, event, received, expires, mark = row
    return Unrouted(
        message_id=id,
        source=source,
        key=key,
        event=event,
        received_at=received / 1000,
        expires_at=None if expires is None else expires / 1000,
        waiting=mark == 2,
        kept_for=tuple(kept_for),
    )


def _route(write: Write, message: Message, addresses: Sequence[Address]) -> bool:
    if not write.run(_IS_TO_ROUTE, {"id": message.id}):
        return False
    if addresses:
        redelivery.route(write, message.id, addresses, len(message.body))
    else:
        write.must(_LEAVE, {"id": message.id, "now": write.now_ms})
    return True


def _replay(write: Write, id: int) -> Outcome:
    found = write.run(_MESSAGE, {"id": id})
    if not found:
        return Outcome("not_found")
    mark, *row = found[0]
    if mark != 1:
        return Outcome("active" if mark == 2 else "kept" if mark else "routed")
    try:
        as_message(row, write.path)
    except (StoreCorrupt, ValueError, TypeError):
        return Outcome("unrecoverable")
    write.must(_ASK, {"id": id})
    write.wakes = True
    return Outcome("replayed")


def as_message(row: Sequence[Any], path: str) -> Message:
    """Return a row of COLUMNS as a message.

    Raises:
        StoreCorrupt, ValueError, TypeError: It cannot be read.
    """
    id, source, key, event, headers, body, compressed, sha256, received = row
    return Message(
        id=id,
        source=source,
        key=key,
        event=event,
        headers=payload.headers(headers, operation="route", path=path),
        body=payload.unpack(body, compressed, sha256),
        received_at=received / 1000,
    )
