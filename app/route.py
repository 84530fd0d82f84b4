"""A route: which messages go to a handler, with which lane and priority."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..store import Message
from ..store.errors import InvalidInput
from ..store.types.message import Address, LanePolicy, Limits
from ..store.types.validate import error_text
from ..store.types.validate import lane as lane_name

Lane = Callable[[Message], str | int | None]


def check_lane(lane: Any) -> Lane | None:
    """Return the function that chooses a lane; None and "" mean no lanes."""
    if lane is None or lane == "":
        return None
    if not callable(lane):
        raise InvalidInput(f"lane must be a function of the message, not {lane!r}")
    chosen: Lane = lane
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

    def matches(self, message: Message) -> bool:
        """True for an event that matches the pattern, or has the match before a dot."""
        if message.source != self.source:
            return False
        return any(
            fnmatch.fnmatchcase(message.event, pattern)
            for pattern in (self.pattern, f"{self.pattern}.*")
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
            lane_policy=self.lane_policy,
            refused=refused,
        )
