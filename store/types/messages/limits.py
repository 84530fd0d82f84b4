"""Limits of deliveries, and caps of queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from ...rules.retention import DEFAULT_KEEP_BODY_MS

# As long as senders go on to redeliver: Stripe for 3 days, and most others for less.
DEFAULT_RETRY_FOR_MS = 3 * 86_400_000
DEFAULT_MAX_CRASHES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """When a delivery that fails is dead: whichever limit it reaches first.

    Attributes:
        max_attempts: So many claims; None is no bound.
        retry_for_ms: It has been tried for so long, counted from its first claim.
        at_most_once: Nobody but an operator may have it tried again once it is dead.
        max_crashes: It is dead, whatever its age, once so many workers have crashed that
            held it and nothing else.
    """

    max_attempts: int | None = None
    retry_for_ms: int = DEFAULT_RETRY_FOR_MS
    max_crashes: int = DEFAULT_MAX_CRASHES
    at_most_once: bool = False


class Caps(NamedTuple):
    """Bounds of a queue; None is no bound.

    Attributes:
        max_rows, max_bytes: Of its ready, scheduled and leased deliveries, and their bodies.
        max_leased: Of those leased at a time, unless operators have said otherwise.
        keep_body_ms: No bound: how long bodies are kept once all is done.
    """

    max_rows: int | None = None
    max_bytes: int | None = None
    max_leased: int | None = None
    keep_body_ms: int = DEFAULT_KEEP_BODY_MS


class CapChanges(TypedDict, total=False):
    """Caps that are new; see Caps."""

    max_rows: int | None
    max_bytes: int | None
    max_leased: int | None
    keep_body_ms: int
