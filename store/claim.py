"""A claim: one delivery leased to one caller, and the ways to end it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

from .engine import Engine, Hold, Leased
from .errors import InvalidInput, LimitExceeded
from .naming import verbs
from .rules.backoff import backoff_ms
from .types import validate
from .types.message import MAX_BODY_BYTES, Message
from .types.transaction import Transaction
from .types.validate import Duration


@verbs
class Claim:
    """A leased delivery.

    Each way to end it either happens whole, or raises LeaseLost because somebody has
    claimed the delivery since, and changes nothing. The same way twice is one.

    Attributes:
        attempt: 1 for the first.
        fence: Greater than that of every claim before it, of any delivery of the store.
        origin: The queue that it was first put in; another one than `queue` once moved.
        expires_at: Unix seconds on the store's clock.
    """

    __slots__ = ("_engine", "_hold", "attempt", "expires_at", "message", "origin", "queue")

    def __init__(self, engine: Engine, leased: Leased) -> None:
        self._engine = engine
        self._hold = leased.hold
        self.message: Message = leased.message
        self.queue = leased.queue
        self.origin = leased.origin or leased.queue
        self.attempt = leased.attempt
        self.expires_at = leased.until_ms / 1000

    def __repr__(self) -> str:
        return f"Claim(id={self.id}, queue={self.queue!r}, fence={self.fence})"

    @property
    def id(self) -> int:
        """The delivery's number, as operators name it."""
        return self._hold.id

    @property
    def hold(self) -> Hold:
        """What proves this claim to the engine."""
        return self._hold

    @property
    def fence(self) -> int:
        """The lease's number."""
        return self._hold.fence

    @property
    def token(self) -> str:
        """The lease's random secret."""
        return self._hold.token

    def ack(self, result: Any = None) -> None:
        """Mark the delivery done, and keep its result for duplicates.

        Accepted past expiry while nobody has claimed the delivery since, nor replayed or
        cancelled it; also when the expiry of its last attempt has made it a dead letter.

        Raises:
            InvalidInput, LimitExceeded: The result is not JSON, or is over 25 MiB; the claim is
                unchanged.
            LeaseLost: Somebody else has it; drop the result.
        """
        self._engine.ack(self._hold, encode_result(result))

    def retry(self, delay: Duration | None = None, error: str | None = None) -> bool:
        """Give the delivery back for another attempt; False when it is dead instead.

        Waits `delay` seconds. By default at most 1 s after the first attempt, twice as long
        after each further one, at most 55 minutes; a random part of it, at least half.

        Raises:
            LeaseLost: Somebody else has it.
        """
        wait = backoff_ms(self.attempt) if delay is None else validate.milliseconds(delay, "delay")
        return self._engine.retry(
            self._hold, wait, None if error is None else validate.error_text(error)
        )

    def release(self) -> None:
        """Give the delivery back at once; the attempt does not count.

        Raises:
            LeaseLost: Somebody else has it.
        """
        self._engine.release(self._hold)

    def bury(self, error: str) -> None:
        """Make the delivery a dead letter, to wait for an operator.

        Raises:
            LeaseLost: Somebody else has it.
        """
        self._engine.bury(self._hold, validate.error_text(error))

    def renew(self, lease: Duration) -> None:
        """Let the lease end no sooner than `lease` seconds from now.

        Raises:
            LeaseLost: Somebody else has it.
        """
        until = self._engine.renew(self._hold, validate.milliseconds(lease, "lease", least=1))
        self.expires_at = until / 1000

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Hold a write transaction that ends with the ack: both commit, or neither.

        It holds the store's one write lock, so keep it short: compute first, then write.

        Raises:
            LeaseLost: Somebody else has it; nothing was written.
        """
        return self._engine.completion(self._hold)


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
