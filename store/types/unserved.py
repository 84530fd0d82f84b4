"""Unrouted messages, routes that are off, unserved queues and conflicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Unrouted:
    """A message that no route has matched, or that is kept for a route that is off.

    Attributes:
        waiting: An operator has replayed it, and no worker has routed it yet.
        expires_at: When its key and body are deleted; None while it is waiting or kept.
        kept_for: The queues whose routes are off; it may have deliveries for others.
    """

    message_id: int
    source: str | None
    key: str | None
    event: str
    received_at: float
    expires_at: float | None
    waiting: bool
    kept_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnroutedCount:
    """How many unrouted messages of one event there are, and when the oldest came."""

    source: str | None
    event: str
    count: int
    oldest_at: float


@dataclass(frozen=True, slots=True)
class OffRoute:
    """A queue whose route an operator has turned off.

    Attributes:
        state: "off", or "draining" once it is on again and the kept messages are being routed.
        changed_at: When it came to that state, in Unix seconds on the store's clock.
        kept: How many messages are kept for it.
    """

    queue: str
    state: Literal["off", "draining"]
    changed_at: float
    kept: int


@dataclass(frozen=True, slots=True)
class Unserved:
    """A queue with deliveries that no running pool works on.

    Attributes:
        waiting: How many are ready, scheduled or asleep.
        leased: How many are claimed, by a program that is not a pool.
    """

    queue: str
    waiting: int
    leased: int


@dataclass(frozen=True, slots=True)
class Conflicts:
    """How often a source has sent a known key with another body.

    Attributes:
        key: The key of the last one.
        last_at: Unix seconds on the store's clock.
    """

    source: str
    conflicts: int
    key: str
    last_at: float
