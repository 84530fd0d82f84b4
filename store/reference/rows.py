"""The rows of a plain store: values that are replaced, never changed. Times are in ms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ..types.keyed.entry import Overflow
from ..types.messages.draft import Address
from ..types.messages.limits import Caps, Limits
from ..types.messages.state import State
from ..types.schedule import Standing
from ..types.sending.outgoing import Outgoing

LIVE = ("ready", "leased")
GOING = (*LIVE, "sleeping")  # what has not ended


class MessageRow(NamedTuple):
    """A message.

    Attributes:
        body: None once it is no longer kept.
        compared: What tells two bodies apart: the body, decompressed if it can be.
        expires_ms: When the key is forgotten; None while a delivery has not ended.
        body_until_ms: When the body goes; None: with the message, or it is gone.
        outgoing: Where it is sent; it counts as gone with the body.
        route: "unrouted" while no route has matched, "asked" once it is to be routed again, "kept"
            for a route that is off.
    """

    id: int
    scope: str
    source: str | None
    key: str | None
    event: str
    headers: Mapping[str, str]
    body: bytes | None
    compared: bytes
    received_ms: int
    keep_ms: int
    keep_body_ms: int
    expires_ms: int | None = None
    body_until_ms: int | None = None
    copy_of: int | None = None
    route: Literal["routed", "unrouted", "asked", "kept"] = "routed"
    wait_key: str | None = None
    outgoing: Outgoing | None = None


class DeliveryRow(NamedTuple):
    """A delivery.

    Attributes:
        due_ms: Not before; None: now.
        fence, token: Of the newest claim; the token is None once that no longer holds.
        settled: The token of the claim that brought it to its state.
        until_ms: When its lease ends; 0: it ended with the machine.
        parked: It is dead, and its lane waits for it.
        changed_ms: When it came to its state.
        window_ms: From its arrival until it is handed over as the head of its lane.
        group_most: With how many it may be handed over, itself among them; None: no bound.
    """

    id: int
    message: int
    queue: str
    address: Address
    lane: str | None
    limits: Limits
    state: State
    size: int
    changed_ms: int
    tried_since_ms: int
    origin: str | None = None
    due_ms: int | None = None
    attempt: int = 0
    crashes: int = 0
    fence: int = 0
    token: str | None = None
    settled: str | None = None
    worker: int | None = None
    pid: int | None = None
    until_ms: int | None = None
    parked: bool = False
    error: str | None = None
    result: str | None = None
    asleep: str | None = None
    generation: int = 0
    window_ms: int | None = None
    group_most: int | None = None

    @property
    def joins(self) -> bool:
        """It is handed over with others of its lane, or has been."""
        return self.window_ms is not None or self.group_most is not None

    @property
    def in_lane(self) -> tuple[str, str] | None:
        """The lane it stands in, by its queue and its name."""
        return None if self.lane is None else (self.queue, self.lane)


class QueueRow(NamedTuple):
    """A queue of which something is known.

    Attributes:
        told_max_leased: What an operator has said; None: as the caps say.
        tells: Each death is told to the app.
    """

    caps: Caps = Caps()
    told_max_leased: int | None = None
    paused: bool = False
    tells: bool = False

    @property
    def max_leased(self) -> int | None:
        """How many may be leased at a time; None is no bound."""
        return self.caps.max_leased if self.told_max_leased is None else self.told_max_leased


class RouteRow(NamedTuple):
    """A route that is off, or is drained since it is on again."""

    state: Literal["off", "draining"]
    since_ms: int


class ConflictRow(NamedTuple):
    """A source that has sent a known key with another body."""

    conflicts: int
    key: str
    last_ms: int


class HostRow(NamedTuple):
    """A host that failed; it is open while `until_ms` is a time, and none of it is a probe."""

    failures: int
    changed_ms: int
    until_ms: int | None = None
    opened: int = 0
    probe: str | None = None
    probe_until_ms: int = 0


class SpaceRow(NamedTuple):
    """A namespace of keyed state."""

    max_entries: int | None = None
    ttl_ms: int | None = None
    overflow: Overflow = "evict"


class EntryRow(NamedTuple):
    """An entry of keyed state; it stays when it has expired, until somebody frees it."""

    value: str
    created_ms: int
    expires_ms: int | None

    def is_live(self, now: int) -> bool:
        """True unless its time is over."""
        return self.expires_ms is None or self.expires_ms > now


class AsideRow(NamedTuple):
    """Something damaged that was set aside."""

    place: str
    why: str
    found_ms: int


class LeaseRow(NamedTuple):
    """A name that was leased; its token is None once it was released or freed."""

    owner: str
    fence: int
    token: str | None
    settled: str | None
    acquired_ms: int
    until_ms: int


class KeyRow(NamedTuple):
    """A key that was claimed: state "claimed", "done" or "released".

    Attributes:
        until_ms: Of the lease while claimed, of the memory once done.
    """

    state: str
    holder: str
    fence: int
    token: str | None
    settled: str | None
    payload_sha256: bytes | None
    until_ms: int
    result: str | None = None


class PoolRow(NamedTuple):
    """A pool; `opening` is what it lives with."""

    opening: object
    pid: int
    state: str
    size: int
    queues: tuple[str, ...] | None
    started_ms: int
    seen_ms: int


class ScheduleRow(NamedTuple):
    """A schedule.

    Attributes:
        pools: Those that enqueue its messages.
        seen_ms: A pool did then, and maybe later.
    """

    standing: Standing
    pools: frozenset[int]
    seen_ms: int


class WorkerRow(NamedTuple):
    """A worker; `opening` is what it lives with."""

    opening: object
    pool: int
    pid: int
    state: str
    started_ms: int
    seen_ms: int
    handled: int = 0
    memory: int | None = None
