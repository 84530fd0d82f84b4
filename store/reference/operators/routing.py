"""Messages that no route matched, and queues that no pool serves."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...types.delivery import Outcome
from ...types.messages.draft import Address
from ...types.messages.message import Message
from ...types.unserved import Conflicts, Unrouted, UnroutedCount, Unserved
from ..memory import Session, Write
from ..pools.verbs import PlainPools
from ..queues.arrival import redelivery
from ..queues.claim import message as as_given
from ..rows import GOING


class PlainRouting:
    """See fencepost.store.engine.operators.routing.RoutingVerbs; the methods stand in its order."""

    def __init__(self, session: Session, pools: PlainPools) -> None:
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
        kept = self._session.read().kept
        rows = [
            row
            for id, row in sorted(self._session.read().messages.items(), reverse=True)
            if row.route != "routed"
            and source in (None, row.source)
            and event in (None, row.event)
            and key in (None, row.key)
            and row.received_ms >= (since_ms or 0)
            and (before is None or id < before)
        ]
        return [
            Unrouted(
                message_id=row.id,
                source=row.source,
                key=row.key,
                event=row.event,
                received_at=row.received_ms / 1000,
                expires_at=None if row.expires_ms is None else row.expires_ms / 1000,
                waiting=row.route == "asked",
                kept_for=tuple(sorted(queue for queue, of in kept if of == row.id)),
            )
            for row in rows[:limit]
        ]

    def unrouted_counts(self) -> list[UnroutedCount]:
        groups: dict[tuple[str | None, str], list[int]] = {}
        for row in self._session.read().messages.values():
            if row.route in ("unrouted", "asked"):
                groups.setdefault((row.source, row.event), []).append(row.received_ms)
        return [
            UnroutedCount(source, event, len(received), received[0] / 1000)
            for (source, event), received in sorted(groups.items(), key=lambda group: str(group[0]))
        ]

    def replay_unrouted(self, ids: Sequence[int]) -> list[Outcome]:
        with self._session.write("replay") as write:
            return [_replay(write, id) for id in ids]

    def to_route(self, sources: Collection[str], limit: int) -> list[Message]:
        return self._asked(sources)[:limit]

    def anything_to_route(self, sources: Collection[str]) -> bool:
        return bool(self._asked(sources))

    def route(self, routed: Sequence[tuple[Message, Sequence[Address]]]) -> list[bool]:
        with self._session.write("route") as write:
            return [_route(write, message, addresses) for message, addresses in routed]

    def unserved(self) -> list[Unserved]:
        pools = [pool for pool in self._pools.pools() if pool.state != "lost"]
        if any(pool.queues is None for pool in pools):
            return []  # it did not say which
        served = {queue for pool in pools for queue in pool.queues or ()}
        tables = self._session.read()
        found = []
        for queue in sorted(tables.queues.keys() - served):
            going = [row.state for row in tables.of_queue(queue) if row.state in GOING]
            leased = going.count("leased")
            if going:
                found.append(Unserved(queue, len(going) - leased, leased))
        return found

    def conflicts(self) -> list[Conflicts]:
        return [
            Conflicts(source, row.conflicts, row.key, row.last_ms / 1000)
            for source, row in sorted(self._session.read().conflicts.items())
        ]

    def keys_of(self, source: str) -> int:
        return sum(scope == source for scope, _ in self._session.read().keys)

    def _asked(self, sources: Collection[str]) -> list[Message]:
        return [
            as_given(row)
            for row in self._session.read().messages.values()
            if row.route == "asked" and row.source in sources
        ]


def _replay(write: Write, id: int) -> Outcome:
    """Have a message routed again by the workers of a pool."""
    row = write.tables.messages.get(id)
    if row is None:
        return Outcome("not_found")
    if row.route != "unrouted":
        return Outcome("active" if row.route == "asked" else row.route)
    write.tables.messages[id] = row._replace(route="asked", expires_ms=None)
    write.wakes = True
    return Outcome("replayed")


def _route(write: Write, message: Message, addresses: Sequence[Address]) -> bool:
    """Make the deliveries of a message; False when it is no longer to be routed."""
    row = write.tables.messages.get(message.id)
    if row is None or row.route != "asked":
        return False
    if addresses:
        redelivery.route(write, row.id, addresses, len(message.body))
    else:
        expires = write.now + row.keep_ms
        write.tables.messages[row.id] = row._replace(route="unrouted", expires_ms=expires)
    return True
