"""A message that is to be stored, and where its deliveries go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from ...rules.retention import DEFAULT_KEEP_BODY_MS, DEFAULT_KEEP_MS
from .limits import DEFAULT_RETRY_FOR_MS

LanePolicy = Literal["strict", "skip", "park"]
Redelivery = Literal["revive", "ignore"]
REDELIVERIES: tuple[Redelivery, ...] = ("revive", "ignore")
LANE_POLICIES: tuple[LanePolicy, ...] = ("strict", "skip", "park")


class Join(Struct, frozen=True, gc=False):
    """How deliveries of one lane are handed over together.

    Attributes:
        window_ms: The first of them waits so long for others.
        most: So many are handed over at once at most; the window ends when they are there.
        latest: Only the newest is handed over.
        bound_ms: Each that arrives begins the window anew, until the first has waited so long;
            None: it does not.
    """

    window_ms: int
    most: int
    bound_ms: int | None = None
    latest: bool = False


class Address(Struct, frozen=True, gc=False):
    """Where one delivery of a message goes, as fixed when the message is accepted.

    Attributes:
        max_attempts, retry_for_ms, at_most_once: As in Limits.
        join: Others of the lane are handed over with it; it has no delay then.
        lane_policy: What a lane does while its head cannot run. "strict": a head that waits
            for its time keeps the others waiting, a dead one does not. "skip": neither
            does. "park": both do; a dead one until it is replayed or cancelled. "latest": as
            "strict"; of those that are claimed together the newest is handed over.
    """

    queue: str
    priority: int = 0
    delay_ms: int = 0
    max_attempts: int | None = None
    retry_for_ms: int = DEFAULT_RETRY_FOR_MS
    at_most_once: bool = False
    lane: str | None = None
    lane_policy: LanePolicy | Literal["latest"] = "strict"
    refused: str | None = None  # why it cannot be handled: it is dead from the start
    join: Join | None = None


class Draft(Struct, frozen=True, gc=False):
    """A message that is not stored yet, with an address for each of its deliveries.

    Attributes:
        scope: Within which the key is unique: the source's name, or `queue_scope`.
        keep_body_ms: The body is kept so long once all is done, or as long as a queue says.
        redelivery: What the same key and body do to a message that is there: "revive" makes
            its dead deliveries ready again, and routes it if no route matched it before.
        wait_key: By which handlers wait for it.
        plain: The body decompressed: by it two are the same, however compressed; None: as it is.
    """

    scope: str
    source: str | None
    key: str | None
    event: str
    headers: Mapping[str, str]
    body: bytes
    addresses: Sequence[Address]
    keep_ms: int = DEFAULT_KEEP_MS
    keep_body_ms: int = DEFAULT_KEEP_BODY_MS
    redelivery: Redelivery = "ignore"
    plain: bytes | None = None
    wait_key: str | None = None


def queue_scope(queue: str) -> str:
    """Return the scope of keys enqueued without a source; no source's name has a slash."""
    return f"queue/{queue}"
