"""Routes that are off, and the messages that are kept for them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Literal

from ...errors import LimitExceeded, QueueFull
from ...types.messages.draft import Address
from ...types.messages.message import Message
from ...types.unserved import OffRoute
from ..memory import Session, Write
from ..pools import events
from ..queues import changes
from ..queues.arrival import arrivals, kept
from ..queues.claim import message as as_given
from ..rows import RouteRow


class PlainRoutes:
    """See fencepost.store.engine.operators.routes.RouteVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def off(self) -> list[OffRoute]:
        tables = self._session.read("off")
        return [
            OffRoute(
                queue, row.state, row.since_ms / 1000, sum(of == queue for of, _ in tables.kept)
            )
            for queue, row in sorted(tables.routes.items())
        ]

    def turn_off(self, queue: str) -> bool:
        with self._session.write("route_off") as write:
            return _turn(write, queue, "off")

    def turn_on(self, queue: str) -> bool:
        with self._session.write("route_on") as write:
            if queue not in write.tables.routes or not _turn(write, queue, "draining"):
                return False
            kept.drained(write, queue)
            write.wakes = True
            return True

    def discard(self, queue: str, limit: int) -> int:
        with self._session.write("discard") as write:
            given_up = kept.of(write, queue)[:limit]
            for message in given_up:
                kept.take(write, message, queue)
                changes.end_message(write, message)
            kept.drained(write, queue)
            return len(given_up)

    def draining(self, queues: Collection[str], sources: Collection[str]) -> list[str]:
        tables = self._session.read("draining")
        return sorted(
            queue
            for queue, route in tables.routes.items()
            if route.state == "draining" and queue in queues and self._kept(queue, sources)
        )

    def kept(self, queue: str, sources: Collection[str], limit: int) -> list[Message]:
        return self._kept(queue, sources)[:limit]

    def drain(self, queue: str, routed: Sequence[tuple[Message, Address | None]]) -> list[bool]:
        done = [False] * len(routed)
        with self._session.write("drain") as write:
            route = write.tables.routes.get(queue)
            if route is None or route.state != "draining":
                return done
            for place, (message, address) in enumerate(routed):
                try:
                    done[place] = _take(write, queue, message, address)
                except QueueFull:
                    break
            kept.drained(write, queue)
            return done

    def _kept(self, queue: str, sources: Collection[str]) -> list[Message]:
        tables = self._session.read("kept")
        rows = [tables.messages[id] for of, id in sorted(tables.kept) if of == queue]
        return [as_given(row) for row in rows if row.source in sources]


def _turn(write: Write, queue: str, state: Literal["off", "draining"]) -> bool:
    route = write.tables.routes.get(queue)
    if route is not None and route.state == state:
        return False
    write.tables.routes[queue] = RouteRow(state, write.now)
    events.note(write, "route off" if state == "off" else "route on", detail=queue)
    return True


def _take(write: Write, queue: str, message: Message, address: Address | None) -> bool:
    """Route a message that is kept; False if it is kept no longer."""
    tables, size = write.tables, len(message.body)
    if address is not None:
        with contextlib.suppress(LimitExceeded):
            arrivals.require_room(write, [address], size)
    if not kept.take(write, message.id, queue):
        return False
    there = tables.of_message(message.id)
    if any(row.queue == queue for row in there) or (there and address is None):
        changes.end_message(write, message.id)
    elif address is not None:
        arrivals.deliver(write, message.id, [address], size)
    elif (row := tables.messages[message.id]).route == "routed":
        tables.messages[row.id] = row._replace(route="unrouted", expires_ms=write.now + row.keep_ms)
    return True
