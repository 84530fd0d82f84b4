"""What nobody takes care of: messages without a route, queues without a pool, conflicts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unrouted:
    """A message that no route has matched.

    Attributes:
        waiting: It is to be routed again, as soon as a worker looks at it.
        expires_at: When its key and its body are forgotten; None while it is waiting.
    """

    message_id: int
    source: str | None
    key: str | None
    event: str
    received_at: float
    expires_at: float | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class UnroutedCount:
    """How many messages of an event no route has matched, and since when."""

    source: str | None
    event: str
    count: int
    oldest_at: float


@dataclass(frozen=True, slots=True)
class Unserved:
    """A queue that holds work and that no running pool serves.

    Attributes:
        waiting: Ready and scheduled ones.
    """

    queue: str
    waiting: int
    leased: int


@dataclass(frozen=True, slots=True)
class Conflicts:
    """How often a source has sent a key that was known, with another body.

    Attributes:
        key: Of the last one.
        last_at: Unix seconds on the store's clock.
    """

    source: str
    conflicts: int
    key: str
    last_at: float
