"""Messages, receipts, limits and states.

What there is one of for each message is a msgspec.Struct: made in a tenth of the time that a
frozen dataclass takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple, TypedDict

from msgspec import Struct

from ..errors import InvalidInput
from ..rules.retention import DEFAULT_KEEP_BODY_MS, DEFAULT_KEEP_MS
from .content import payload
from .durable.ended import Ended, Waits

Status = Literal["accepted", "duplicate", "conflict"]
State = Literal["ready", "leased", "sleeping", "done", "dead", "cancelled"]
LanePolicy = Literal["strict", "skip", "park"]
Redelivery = Literal["revive", "ignore"]
REDELIVERIES: tuple[Redelivery, ...] = ("revive", "ignore")
LANE_POLICIES: tuple[LanePolicy, ...] = ("strict", "skip", "park")
STATES: tuple[State, ...] = ("ready", "leased", "sleeping", "done", "dead", "cancelled")

# As long as senders go on to redeliver: Stripe for 3 days, and most others for less.
DEFAULT_RETRY_FOR_MS = 3 * 86_400_000
DEFAULT_MAX_CRASHES = 3
MAX_BODY_BYTES = 25 * 1024 * 1024  # the largest payload GitHub sends; docs.github.com/webhooks


class Message(Struct, frozen=True, gc=False):
    """One inbound webhook, or one enqueued job.

    Attributes:
        id: Printed by commands as m7.
        source: The source's name; None for a job that was enqueued without one. Of a schedule
            "schedule/" and its name.
        key: The dedupe key; None if it was enqueued without one. Of a schedule the planned time.
        event: The kind of the message as its sender names it; "" for a job, "tick" of a schedule.
        headers: Names are in lower case. If a header came twice, its values are joined by ", ".
        body: The bytes as they came. If they came compressed, they are compressed here too.
        received_at: Unix seconds on the store's clock.
        copy_of: The id of the original, if an operator replayed a finished message; else None.
    """

    id: int
    source: str | None
    key: str | None
    event: str
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    copy_of: int | None = None

    def json(self) -> Any:
        """Return the body's content: its JSON, or the fields of a form.

        If a form has a field `payload` with JSON in it, that JSON is returned. Otherwise a
        form becomes a dict of str; a repeated field has a list of str. A body in gzip or
        deflate is decompressed. Text is decoded by its byte order mark or its declared
        charset. The receiver reads the key and the event in the same way.

        Raises:
            ValueError: The body is neither JSON nor a form, or cannot be decoded.
        """
        return payload.parsed(self.body, self.headers, MAX_BODY_BYTES)

    def text(self) -> str:
        """Return the body as text, decompressed and decoded as for `json`.

        Raises:
            ValueError: The body is not in its declared encoding.
        """
        return payload.text(self.body, self.headers, MAX_BODY_BYTES)


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


# The queue of calls to an app's on_dead, one for each delivery that has died.
DEATHS = "fencepost.on_dead"


@dataclass(frozen=True, slots=True)
class Death:
    """A delivery that has become a dead letter.

    Attributes:
        message, source, key, event: Of its message; None where that cannot be read.
    """

    delivery: int
    queue: str
    attempt: int
    error: str | None
    message: int | None = None
    source: str | None = None
    key: str | None = None
    event: str | None = None


def queue_scope(queue: str) -> str:
    """Return the scope of keys enqueued without a source; no source's name has a slash."""
    return f"queue/{queue}"


class Receipt(Struct, frozen=True, gc=False, eq=False):
    """The answer to an enqueue.

    Attributes:
        status: "accepted": the message is new, or a redelivery changed something (see
            `helped`). "duplicate": the same key and body is stored already. "conflict": the
            same key is stored with another body, which is kept.
        message_id: The id of the stored message.
        state: The state of its delivery. If it has several, the one furthest from its end.
            None if no route matched, or those that did are off.
        result: What the handler returned, once the delivery is done.
        helped: What a redelivery changed in the stored message: "revived" if its dead
            deliveries are ready again, "routed" if it has a route for the first time.
    """

    status: Status
    message_id: int
    state: State | None
    result: Any = None
    helped: Literal["revived", "routed"] | None = None
    _waits: Waits | None = None

    def wait(self, timeout: float | timedelta | None = None) -> Ended:
        """Return once all deliveries of the message have ended, whichever process ends them.

        The commit that ends the last one wakes the caller. A caller in a handler holds its
        worker meanwhile. One that is asleep has not ended, nor one that waits for its next attempt.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Raises:
            TimeoutError: It has not ended in time. It goes on, and can be waited for again.
            InvalidInput: The receipt is not one of `Queue.enqueue` or `Queue.enqueue_many`, the
                call is within a transaction, or the store was closed meanwhile.
            StoreBusy: The write lock was not free in time; wait again.
            StoreCorrupt: The result is damaged.
        """
        return self._waiting().wait(self.message_id, timeout)

    async def done(self) -> Ended:
        """Do what `wait` does, in a coroutine; for a bound use `asyncio.timeout`."""
        return await self._waiting().done(self.message_id)

    def _waiting(self) -> Waits:
        if self._waits is None:
            raise InvalidInput(
                "only a receipt of Queue.enqueue or enqueue_many can be waited for",
                operation="wait",
            )
        return self._waits

    def _said(self) -> tuple[object, ...]:
        return self.status, self.message_id, self.state, self.result, self.helped

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Receipt) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash(self._said())

    def __repr__(self) -> str:
        names = ("status", "message_id", "state", "result", "helped")
        said = ", ".join(
            f"{name}={value!r}" for name, value in zip(names, self._said(), strict=True)
        )
        return f"Receipt({said})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Receipt, self._said()
