"""A route: which messages go to a handler, with which lane and priority."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..store import Message
from ..store.errors import InvalidInput
from ..store.types.messages.draft import Address, Join, LanePolicy
from ..store.types.messages.limits import Limits
from ..store.types.validate import error_text
from ..store.types.validate import lane as lane_name
from .functions import of_message
from .handlers.handler import Handler

# Senders choose the event names, so there may be any number of them.
_MOST_EVENTS = 1_000

Lane = Callable[[Message], str | int | None]


def check_lane(lane: Any) -> Lane | None:
    """Return the function that chooses a lane; None and "" mean no lanes."""
    if lane is None or lane == "":
        return None
    chosen: Lane = of_message(lane, "lane")
    return chosen


@dataclass(frozen=True, slots=True)
class Route:
    """Which messages go to a handler."""

    source: str
    pattern: str
    queue: str
    lane: Lane | None
    lane_policy: LanePolicy
    priority: int
    join: Join | None = None

    @property
    def _latest(self) -> bool:
        return self.join is not None and self.join.latest

    def matches(self, source: str | None, event: str) -> bool:
        """True for an event that matches the pattern, or has the match before a dot."""
        if source != self.source:
            return False
        return any(
            fnmatch.fnmatchcase(event, pattern) for pattern in (self.pattern, f"{self.pattern}.*")
        )

    def address(self, message: Message, limits: Limits) -> Address:
        """Return the address of a message; if the lane function raises, it is dead there."""
        lane, refused = None, None
        if self.lane is not None:
            try:
                chosen = self.lane(message)
                lane = None if chosen is None else lane_name(str(chosen))
            except BaseException as error:  # noqa: BLE001 - stored as the error of the delivery
                refused = f"no lane: {type(error).__name__}: {error_text(error)}"
        return Address(
            queue=self.queue,
            priority=self.priority,
            max_attempts=limits.max_attempts,
            retry_for_ms=limits.retry_for_ms,
            at_most_once=limits.at_most_once,
            lane=lane,
            lane_policy="latest" if lane is not None and self._latest else self.lane_policy,
            refused=refused,
            join=None if lane is None else self.join,
        )


class Answering(NamedTuple):
    """Whose result is the answer to a request.

    Attributes:
        within: How many seconds the request may wait for it.
    """

    queue: str
    within: float


class Matching(NamedTuple):
    """The routes of an event.

    Attributes:
        answering: The first of the handlers that answers the sender.
        routes: At most one for each handler, with the handler's limits.
        addresses: Those of every message of the event; None if a lane function has to see each.
    """

    routes: Sequence[tuple[Route, Limits]]
    addresses: Sequence[Address] | None
    answering: Answering | None


class Matchings:
    """The routes of each event, compared with the patterns once."""

    def __init__(self, routes: Sequence[Route], handlers: Mapping[str, Handler]) -> None:
        self._routes = routes
        self._handlers = handlers
        # With the number of routes then, because an app may declare more.
        self._found: dict[tuple[str | None, str], tuple[int, Matching]] = {}
        self._responding: tuple[int, set[str]] = 0, set()

    def of(self, source: str | None, event: str) -> Matching:
        """Return the routes of an event."""
        count = len(self._routes)
        known = self._found.get((source, event))
        if known is not None and known[0] == count:
            return known[1]
        matching = self._matching(source, event)
        if len(self._found) >= _MOST_EVENTS:
            self._found.clear()
        self._found[source, event] = count, matching
        return matching

    def responds(self, source: str) -> bool:
        """True if requests to a source may be answered with the result of a handler."""
        count, sources = self._responding
        if count != len(self._routes):
            count = len(self._routes)
            sources = {each.source for each in self._routes if self._handlers[each.queue].respond}
            self._responding = count, sources
        return source in sources

    def check(self, sources: Collection[str]) -> None:
        """Raise InvalidInput for a route without its source, or an answer without a sender."""
        for route in self._routes:
            if route.source not in sources:
                raise InvalidInput(
                    f"handler {route.queue!r} is on source {route.source!r}, which is not declared"
                )
        routed = {route.queue for route in self._routes}
        for name, handler in self._handlers.items():
            if handler.respond and name not in routed:
                raise InvalidInput(
                    f"handler {name!r} has respond=True and is on no source: nobody waits for it"
                )

    def _matching(self, source: str | None, event: str) -> Matching:
        found: dict[str, tuple[Route, Limits]] = {}
        for route in self._routes:
            if route.queue not in found and route.matches(source, event):
                found[route.queue] = route, self._handlers[route.queue].limits
        routes = tuple(found.values())
        answers = (self._handlers[queue] for queue in found)
        answering = next((Answering(it.name, it.within) for it in answers if it.respond), None)
        if any(route.lane is not None for route, _ in routes):
            return Matching(routes, None, answering)
        message = Message(0, source, None, event, {}, b"", 0.0)
        addresses = tuple(route.address(message, limits) for route, limits in routes)
        return Matching(routes, addresses, answering)
