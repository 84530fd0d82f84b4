"""A claim: one delivery leased to one caller, and the ways to end it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from .engine import Engine, Hold, Leased
from .errors import InvalidInput, LimitExceeded
from .naming import verbs
from .rules.failures.backoff import backoff_ms
from .types import validate
from .types.messages.message import MAX_BODY_BYTES, Message
from .types.transaction import Transaction
from .types.validate import Duration


@verbs
class Claim:
    """A delivery that is leased to the caller, from `Queue.claim`.

    End it with `ack`, `retry`, `release`, `bury` or `transaction`. If another caller has
    claimed the delivery since, each of them raises LeaseLost and changes nothing. Ending a
    claim a second time in the same way does nothing.

    Attributes:
        attempt: 1 for the first attempt.
        message: The message.
        queue: The queue that it was claimed from.
        fence: A number greater than that of every earlier claim of this delivery. No other
            claim or lease of the store has it.
        origin: The queue that it was enqueued in; it differs from `queue` after a move.
        generation: How often what its handler remembers was forgotten by a replay.
        expires_at: When the lease expires, in Unix seconds on the store's clock.
        lasts_ms: How long the lease lasts, counted from before the store was asked for it.
    """

    __slots__ = (
        "_engine",
        "_hold",
        "attempt",
        "expires_at",
        "generation",
        "joined",
        "lasts_ms",
        "message",
        "origin",
        "queue",
    )

    def __init__(self, engine: Engine, leased: Leased) -> None:
        self._engine = engine
        self._hold = leased.hold
        self.message: Message = leased.message
        self.queue = leased.queue
        self.origin = leased.origin or leased.queue
        self.attempt = leased.attempt
        self.generation = leased.generation
        self.joined = leased.joined
        self.expires_at = leased.term.until_ms / 1000
        self.lasts_ms = leased.term.lasts_ms

    def __repr__(self) -> str:
        return f"Claim(id={self.id}, queue={self.queue!r}, fence={self.fence})"

    @property
    def messages(self) -> list[Message]:
        """What was handed over in this claim, oldest first; more than one if a handler joins."""
        return [self.message, *(each.message for each in self.joined)]

    @property
    def id(self) -> int:
        """The delivery's id, which commands print as d7."""
        return self._hold.id

    @property
    def hold(self) -> Hold:
        """What proves this claim to the engine."""
        return self._hold

    def note_counts(self, counts: Mapping[str, int]) -> None:
        """Have this added to counters when the delivery is done, as it is then."""
        # In place: a transaction that ends with the ack has the hold already.
        msgspec.structs.force_setattr(self._hold, "counts", counts)

    def note_steps(self) -> None:
        """Have the records of steps deleted when the delivery is done."""
        if not self._hold.steps:
            self._hold = msgspec.structs.replace(self._hold, steps=True)

    def take_newest(self) -> None:
        """Let the newest of a claim of several stand for all: the others end with it."""
        if self.joined:
            *older, newest = self.joined
            joined = (self._hold.id, *(each.id for each in older))
            self._hold = msgspec.structs.replace(
                self._hold, id=newest.id, note=None, joined=joined, latest=True
            )
            self.message, self.attempt, self.joined = newest.message, newest.attempt, ()

    @property
    def fence(self) -> int:
        """A number greater than that of every earlier claim of this delivery."""
        return self._hold.fence

    @property
    def token(self) -> str:
        """The random text that proves, with the fence, that the caller holds the lease.

        The claims of one call have the same.
        """
        return self._hold.token

    def ack(self, result: Any = None) -> None:
        """Mark the delivery done, and store the result, which duplicates are answered with.

        It works after the lease has expired too, as long as no other caller has claimed the
        delivery and no operator has replayed or cancelled it. That holds even if the expiry
        of its last attempt has made the delivery a dead letter.

        Raises:
            InvalidInput: The result is not JSON; the claim still holds.
            LimitExceeded: The result is over 25 MiB; the claim still holds.
            LeaseLost: Another caller has claimed the delivery; drop the result.
        """
        self._engine.queue.ack(self._hold, encode_result(result))

    def retry(self, delay: Duration | None = None, error: str | None = None) -> bool:
        """Give the delivery back for another attempt.

        Returns False if its limits are reached and it is a dead letter instead.

        Args:
            delay: Seconds until the next attempt. By default up to 1 s after the first
                attempt, twice as long after each further one, and up to 55 minutes; the
                actual delay is random, at least half of that.
            error: Stored with the delivery, and shown to operators.

        Raises:
            LeaseLost: Another caller has claimed the delivery; nothing was changed.
        """
        wait = backoff_ms(self.attempt) if delay is None else validate.milliseconds(delay, "delay")
        return self._engine.queue.retry(
            self._hold, wait, None if error is None else validate.error_text(error)
        )

    def release(self) -> None:
        """Give the delivery back so that it is ready at once; the attempt does not count.

        Raises:
            LeaseLost: Another caller has claimed the delivery; nothing was changed.
        """
        self._engine.queue.release(self._hold)

    def bury(self, error: str) -> None:
        """Make the delivery a dead letter: no more attempts until an operator replays it.

        Raises:
            LeaseLost: Another caller has claimed the delivery; nothing was changed.
        """
        self._engine.queue.bury(self._hold, validate.error_text(error))

    def renew(self, lease: Duration) -> None:
        """Extend the lease to at least `lease` seconds from now; it is never shortened.

        Raises:
            LeaseLost: Another caller has claimed the delivery.
        """
        term = self._engine.queue.renew(self._hold, validate.milliseconds(lease, "lease", least=1))
        self.expires_at, self.lasts_ms = term.until_ms / 1000, term.lasts_ms

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction, for a `with` block, that commits together with the ack.

        Either your writes and the ack commit, or neither. Keep the block short: compute
        first, then write, because other writers wait for it.

        Raises:
            LeaseLost: Another caller has claimed the delivery; nothing was written.
        """
        return self._engine.queue.completion(self._hold)


def encode_result(result: Any, operation: str = "ack") -> str | None:
    """Return a result as JSON text."""
    if result is None:
        return None
    try:
        encoded = json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"a result must be JSON: {error}", operation=operation) from error
    if len(encoded) > MAX_BODY_BYTES:
        raise LimitExceeded(
            f"a result of {len(encoded)} bytes is over the {MAX_BODY_BYTES} allowed",
            operation=operation,
        )
    return encoded
