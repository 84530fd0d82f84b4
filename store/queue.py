"""A queue: deliveries for one handler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from msgspec import UNSET, UnsetType

from .claim import Claim
from .engine import Engine
from .errors import InvalidInput, LimitExceeded
from .naming import verbs
from .rules.retention import DEFAULT_KEEP_MS
from .types import validate
from .types.durable.ended import can_wait
from .types.messages.draft import Address, Draft, LanePolicy, queue_scope
from .types.messages.limits import DEFAULT_RETRY_FOR_MS, CapChanges
from .types.messages.receipt import Receipt
from .types.queue_stats import QueueStats
from .types.validate import Duration

DEFAULT_LEASE = 30.0

# The defaults of enqueue.
_AT_ONCE: Duration = 0
_USUAL = 0
_STRICT: LanePolicy = "strict"
_KEEP_FOR = DEFAULT_KEEP_MS / 1000
_RETRY_FOR = DEFAULT_RETRY_FOR_MS / 1000


@verbs
class Queue:
    """A queue, from `Store.queue`: the deliveries for one handler.

    Opening a queue writes nothing, unless it is given a setting that differs from the
    recorded one.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = validate.name(name, "queue")
        self._scope = queue_scope(self.name)
        self._waits = engine.durable.ends.waiting
        self._anywhere = [self._address()]  # of a message that says nothing of it

    def set_caps(
        self,
        max_rows: int | UnsetType | None = UNSET,
        max_bytes: int | UnsetType | None = UNSET,
        max_leased: int | UnsetType | None = UNSET,
        keep_body_for: Duration | UnsetType = UNSET,
    ) -> None:
        """Record settings of this queue, as `Store.queue` does.

        Raises:
            InvalidInput: A value is not usable; nothing was changed.
        """
        given = {
            "max_rows": validate.cap(max_rows, "max_rows"),
            "max_bytes": validate.cap(max_bytes, "max_bytes"),
            "max_leased": validate.cap(max_leased, "max_leased"),
            "keep_body_ms": keep_body_for
            if keep_body_for is UNSET
            else validate.milliseconds(keep_body_for, "keep_body_for"),
        }
        changes = cast(CapChanges, {name: cap for name, cap in given.items() if cap is not UNSET})
        if changes:
            self._engine.queue.change_caps(self.name, changes)

    def enqueue(
        self,
        body: bytes,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        lane: str | None = None,
        delay: Duration = 0,
        priority: int = 0,
        keep_for: Duration = DEFAULT_KEEP_MS / 1000,
        lane_policy: LanePolicy = "strict",
        max_attempts: int | None = None,
        retry_for: Duration = DEFAULT_RETRY_FOR_MS / 1000,
    ) -> Receipt:
        """Store a message, unless this queue has one with the same key.

        When the call returns, the message is on disk.

        Args:
            body: At most 25 MiB.
            key: The dedupe key, unique within this queue. None makes each call a new
                message.
            lane: Deliveries with the same lane run one at a time, oldest first. None or ""
                for no lane.
            delay: Seconds before the delivery can be claimed.
            priority: A delivery with a greater number is claimed first.
            keep_for: Seconds for which the key is kept after the work has ended; by default
                35 days.
            lane_policy: Whether the rest of the lane waits while this delivery cannot run.
                "strict": it waits for a delayed or retried delivery, not for a dead one.
                "skip": it waits for neither. "park": it waits for both, for a dead one
                until an operator replays or cancels it.
            max_attempts: The delivery is dead after this many failed attempts; None for no
                limit. A worker uses the limits of its handler instead of these.
            retry_for: A failure this many seconds after the first attempt makes the delivery
                dead; by default 3 days. The limit that is reached first counts.

        Raises:
            InvalidInput: An argument is not usable; nothing was stored.
            LimitExceeded: The body or the headers are too large; nothing was stored.
            QueueFull: The queue is at a cap; nothing was stored.
            StoreBusy: The write lock was not free in time; nothing was stored.
            OutcomeUnknown: The message may be stored; enqueue it again with the same key.
        """
        if (
            lane is None
            and delay is _AT_ONCE
            and priority is _USUAL
            and lane_policy is _STRICT
            and max_attempts is None
            and keep_for == _KEEP_FOR
            and retry_for == _RETRY_FOR
        ):  # nearly always: what the draft says of it is checked already
            draft = self._draft(body, key=key, headers=headers)
            return can_wait(self._engine.queue.enqueue([draft]), self._waits)[0]
        draft = self._draft(
            body,
            key=key,
            headers=headers,
            lane=lane,
            delay=delay,
            priority=priority,
            keep_for=keep_for,
            lane_policy=lane_policy,
            max_attempts=max_attempts,
            retry_for=retry_for,
        )
        return can_wait(self._engine.queue.enqueue([draft]), self._waits)[0]

    def enqueue_many(self, messages: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        """Store many messages in one transaction; return their receipts in the same order.

        Args:
            messages: Mappings of enqueue's arguments: `{"body": b"...", "key": "order-7"}`.

        Raises:
            InvalidInput: A message is not usable; the error has its index, and none was stored.
            LimitExceeded: A message is too large; the error has its index, and none was stored.
            QueueFull: The queue has no room for all of them; none was stored.
            StoreBusy: The write lock was not free in time; none was stored.
            OutcomeUnknown: They may be stored; enqueue those that have a key again.
        """
        drafts = []
        for index, message in enumerate(validate.each(messages, "messages")):
            if not isinstance(message, Mapping):
                kind = type(message).__name__
                raise InvalidInput(
                    f"message {index} must be a mapping, not {kind}", operation="enqueue"
                )
            try:
                drafts.append(self._draft(**message))
            except LimitExceeded as error:
                raise LimitExceeded(f"message {index}: {error}", operation="enqueue") from error
            except (InvalidInput, TypeError) as error:
                why = str(error).removeprefix("Queue._draft() ").removeprefix("Queue._address() ")
                raise InvalidInput(f"message {index}: {why}", operation="enqueue") from error
        return can_wait(self._engine.queue.enqueue(drafts), self._waits)

    def claim(self, *, limit: int = 1, lease: Duration = DEFAULT_LEASE) -> list[Claim]:
        """Claim at most `limit` deliveries: greatest priority first, then oldest first.

        Returns an empty list when none is ready. A delivery whose lease expires before its
        claim is ended can be claimed by the next caller.

        Args:
            lease: Seconds until the lease expires, unless `Claim.renew` extends it.

        Raises:
            StoreBusy: The write lock was not free in time; nothing was claimed.
            OutcomeUnknown: Deliveries may be leased; they can be claimed again when the
                lease has expired.
        """
        leases, _ = self._engine.queue.claim(
            [self.name],
            limit=validate.count(limit, "limit", most=10_000),
            lease_ms=validate.milliseconds(lease, "lease", least=1),
        )
        return [Claim(self._engine, leased) for leased in leases]

    def ack_many(self, claims: Iterable[Claim]) -> list[Claim]:
        """Acknowledge claims in one transaction; return those that are lost.

        A claim is lost when another caller has claimed its delivery since.

        Raises:
            InvalidInput: One of the arguments is not a Claim; nothing was changed.
            StoreBusy: The write lock was not free in time; nothing was changed.
            OutcomeUnknown: They may be done; acknowledge them again.
        """
        given = list(validate.each(claims, "claims"))
        for index, claim in enumerate(given):
            if not isinstance(claim, Claim):
                raise InvalidInput(f"claim {index} must be a Claim, not {claim!r}", operation="ack")
        refused = set(self._engine.queue.ack_many([claim.hold for claim in given]))
        return [claim for claim in given if claim.hold in refused]

    def stats(self) -> QueueStats:
        """Count this queue's deliveries by state."""
        return self._engine.operators.stats().get(self.name, QueueStats())

    def _draft(
        self,
        body: bytes,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        keep_for: Duration | None = None,
        **where: Any,
    ) -> Draft:
        return Draft(
            self._scope,
            None,
            None if key is None else validate.key(key),
            "",
            validate.headers(headers) if headers else {},
            validate.body(body),
            [self._address(**where)] if where else self._anywhere,
            DEFAULT_KEEP_MS if keep_for is None else validate.milliseconds(keep_for, "keep_for"),
        )

    def _address(
        self,
        *,
        lane: str | None = None,
        delay: Duration = 0,
        priority: int = 0,
        lane_policy: LanePolicy = "strict",
        max_attempts: int | None = None,
        retry_for: Duration = DEFAULT_RETRY_FOR_MS / 1000,
    ) -> Address:
        return Address(
            queue=self.name,
            lane=validate.lane(lane),
            delay_ms=validate.milliseconds(delay, "delay"),
            lane_policy=validate.lane_policy(lane_policy),
            priority=validate.count(priority, "priority", least=-(2**31)),
            max_attempts=_bound(max_attempts),
            retry_for_ms=validate.milliseconds(retry_for, "retry_for"),
        )


def _bound(max_attempts: int | None) -> int | None:
    return None if max_attempts is None else validate.count(max_attempts, "max_attempts")
