"""The second argument of a handler, and the exceptions that it may raise or get."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..store import Claim, Store, Transaction
from ..store.errors import LeaseLost
from ..store.local_lease import LocalLease
from ..store.naming import verbs
from ..store.types.validate import Duration, milliseconds


class Retry(Exception):
    """Raise it in a handler to retry the delivery `after` this many seconds.

    It counts as a failed attempt, so after the last attempt the delivery is dead. Without
    `after` the handler's backoff applies.
    """

    def __init__(self, after: Duration | None = None, reason: str = "retry asked for") -> None:
        super().__init__(reason)
        if after is not None:
            milliseconds(after, "after")
        self.after = after


class Discard(Exception):
    """Raise it in a handler to make the delivery a dead letter at once, without retries."""


class SoftTimeout(Exception):
    """Raised in a handler that runs longer than its `soft_timeout`.

    If the handler catches it and returns, the delivery is done. Otherwise the attempt has
    failed, and the delivery is retried.
    """


class Cancelled(BaseException):
    """Raised in a handler when its worker must stop now.

    The delivery becomes ready again, and the attempt does not count. With `at_most_once` the
    delivery becomes a dead letter.
    """


@verbs
class Context:
    """One attempt at one delivery: the second argument of a handler.

    Attributes:
        store: The open store, for example for `ctx.store.queue("mail")`.
        attempt: 1 for the first attempt.
        fence: A number greater than that of every earlier claim of this delivery. Pass it to
            systems that can refuse a number smaller than one they have seen.
        completed: True once `transaction()` has committed.
        told: True once the store has refused a call because the lease is lost.
    """

    def __init__(
        self,
        claim: Claim,
        store: Store,
        lease: LocalLease,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` raises what the handler is interrupted with."""
        self._claim = claim
        self._lease = lease
        self._check = check
        self.store = store
        self.attempt = claim.attempt
        self.fence = claim.fence
        self.completed = False
        self.told = False

    @functools.cached_property
    def idempotency_key(self) -> str:
        """The same for every attempt at this delivery, and different for every other delivery.

        As long as the delivery's key is kept. Pass it to services that you call.
        """
        return _idempotency_key(self._claim)

    @property
    def lost(self) -> bool:
        """True once the lease is lost, or could not be renewed in time: stop working."""
        return self._lease.lost

    def extend(self, lease: Duration) -> None:
        """Extend the lease to at least `lease` seconds from now.

        The supervisor renews the lease anyway. This is for a handler that should keep
        running if the store cannot be reached for that long.

        Raises:
            LeaseLost: Another worker has claimed the delivery; stop working.
        """
        with self._telling():
            asked_ms = self.store.engine.clock.stopwatch_ms()
            self._claim.renew(lease)
        # A renewal in the handler's own transaction may still be rolled back.
        if not self.store.engine.transactions.is_open():
            self._lease.extend(asked_ms + self._claim.lasts_ms)
        self._check()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction, for a `with` block, that commits together with the ack.

        Your writes and the ack both commit or neither does, so the writes happen exactly
        once. After the block the delivery is done. Keep the block short: compute first, then
        write, because other writers wait for it.

        Raises:
            LeaseLost: Another worker has claimed the delivery; nothing was written.
        """
        with self._telling(), self._claim.transaction() as tx:
            self._check()  # not earlier: the transaction had to be open
            yield tx
        self.completed = True

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except LeaseLost as error:
            # Not for a named lease that the handler holds, nor for another store.
            refused = self._claim.hold.what, self.store.engine.identity.store_id
            if (error.what, error.store_id) == refused:
                self._lease.refused = self.told = True
            raise


def _idempotency_key(claim: Claim) -> str:
    message = claim.message
    # A copy has to be handled again; a delivery that was moved is still the same.
    its_own = message.key is None or message.copy_of is not None
    key = f"id:{message.id}" if its_own else f"key:{message.key}"
    parts = "\0".join((claim.origin, message.source or "", key))
    return hashlib.sha256(parts.encode()).hexdigest()
