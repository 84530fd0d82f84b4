"""A queue: deliveries for one handler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from .claim import Claim
from .engine import Engine
from .errors import InvalidInput, LimitExceeded
from .naming import verbs
from .rules.retention import DEFAULT_KEEP_MS
from .types import validate
from .types.message import (
    DEFAULT_RETRY_FOR_MS,
    Address,
    Draft,
    LanePolicy,
    QueueStats,
    Receipt,
    queue_scope,
)
from .types.validate import Duration

DEFAULT_LEASE = 30.0


@verbs
class Queue:
    """A named queue of a store. Opening one writes nothing, but for a cap that is new."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = validate.name(name, "queue")

    def set_caps(
        self,
        max_rows: int | UnsetType | None = UNSET,
        max_bytes: int | UnsetType | None = UNSET,
        max_leased: int | UnsetType | None = UNSET,
        keep_body_for: Duration | UnsetType = UNSET,
    ) -> None:
        """Bound what waits here and what is leased of it from now on; None is no bound.

        `keep_body_for` is how long the body of what is done is kept.

        Raises:
            InvalidInput: Nothing was changed.
        """
        given = {
            "max_rows": validate.cap(max_rows, "max_rows"),
            "max_bytes": validate.cap(max_bytes, "max_bytes"),
            "max_leased": validate.cap(max_leased, "max_leased"),
            "keep_body_ms": keep_body_for
            if keep_body_for is UNSET
            else validate.milliseconds(keep_body_for, "keep_body_for"),
        }
        changes: dict[str, Any] = {name: cap for name, cap in given.items() if cap is not UNSET}
        if not changes:
            return
        now = self._engine.caps(self.name)
        if now._replace(**changes) == now:
            return
        with self._engine.transaction("set_caps"):
            # Somebody else may have changed the others since.
            self._engine.set_caps(self.name, self._engine.caps(self.name)._replace(**changes))

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
        """Store a message unless its key is there; on disk when this returns.

        Args:
            key: Unique within this queue and kept for `keep_for` seconds after the work
                has ended; None makes a new message every time.
            lane: Of one lane one delivery is claimed at a time, oldest first; "" is none.
            delay: Seconds before it can be claimed.
            priority: The greater number first.
            lane_policy: What the lane does while this one cannot run. "strict": it waits
                for a delayed or retried one, not for a dead one. "skip": it waits for
                neither. "park": for both, for a dead one until an operator acts.
            max_attempts, retry_for: A failure makes it a dead letter once it has been
                claimed `max_attempts` times (None: no bound), or `retry_for` seconds after
                its first claim (3 days), whichever comes first. What is claimed by a
                worker has the limits of its handler.

        Raises:
            InvalidInput, LimitExceeded: Nothing was begun.
            QueueFull: The queue is at a cap; nothing was stored.
            StoreBusy: Nothing was stored.
            OutcomeUnknown: Enqueue again with the same key.
        """
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
        return self._engine.enqueue([draft])[0]

    def enqueue_many(self, messages: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        """Store many messages in one transaction; receipts in their order.

        Each is a mapping of enqueue's arguments: `{"body": b"...", "key": "order-7"}`.

        Raises:
            InvalidInput, LimitExceeded: The first bad one is named by its index; nothing
                was begun.
            QueueFull: There is no room for all of them; none was stored.
            StoreBusy: Nothing was stored.
            OutcomeUnknown: Enqueue those with a key again.
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
                why = str(error).removeprefix("Queue._draft() ")
                raise InvalidInput(f"message {index}: {why}", operation="enqueue") from error
        return self._engine.enqueue(drafts)

    def claim(self, *, limit: int = 1, lease: Duration = DEFAULT_LEASE) -> list[Claim]:
        """Lease at most `limit` deliveries: highest priority first, then oldest.

        Returns an empty list when nothing is ready. A claim that is not ended before its
        lease expires goes to the next caller.

        Raises:
            StoreBusy: Nothing was claimed.
            OutcomeUnknown: What may have been claimed comes back when the lease ends.
        """
        leases, _ = self._engine.claim(
            [self.name],
            limit=validate.count(limit, "limit", most=10_000),
            lease_ms=validate.milliseconds(lease, "lease", least=1),
        )
        return [Claim(self._engine, leased) for leased in leases]

    def ack_many(self, claims: Iterable[Claim]) -> list[Claim]:
        """Mark deliveries done in one transaction; return those that were refused as lost.

        Raises:
            InvalidInput: One of them is no claim; nothing was begun.
            StoreBusy: Nothing was acked.
            OutcomeUnknown: Ack them again.
        """
        given = list(validate.each(claims, "claims"))
        for index, claim in enumerate(given):
            if not isinstance(claim, Claim):
                raise InvalidInput(f"claim {index} must be a Claim, not {claim!r}", operation="ack")
        refused = set(self._engine.ack_many([claim.hold for claim in given]))
        return [claim for claim in given if claim.hold in refused]

    def stats(self) -> QueueStats:
        """Count this queue's deliveries by state."""
        return self._engine.stats().get(self.name, QueueStats())

    def _draft(
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
    ) -> Draft:
        return Draft(
            scope=queue_scope(self.name),
            source=None,
            key=None if key is None else validate.key(key),
            event="",
            headers=validate.headers(headers or {}),
            body=validate.body(body),
            addresses=[
                Address(
                    queue=self.name,
                    lane=validate.lane(lane),
                    delay_ms=validate.milliseconds(delay, "delay"),
                    lane_policy=validate.lane_policy(lane_policy),
                    priority=validate.count(priority, "priority", least=-(2**31)),
                    max_attempts=_bound(max_attempts),
                    retry_for_ms=validate.milliseconds(retry_for, "retry_for"),
                )
            ],
            keep_ms=validate.milliseconds(keep_for, "keep_for"),
        )


def _bound(max_attempts: int | None) -> int | None:
    return None if max_attempts is None else validate.count(max_attempts, "max_attempts")
