"""What a handler is given beside the message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from ..store import Claim, Store, Transaction
from ..store.errors import LeaseLost
from ..store.naming import verbs
from ..store.types.validate import Duration, milliseconds


class Retry(Exception):
    """Raise it to have the delivery tried again `after` so many seconds.

    It counts as an attempt, so the last one is followed by the dead letters.
    """

    def __init__(self, after: Duration | None = None, reason: str = "retry asked for") -> None:
        super().__init__(reason)
        if after is not None:
            milliseconds(after, "after")
        self.after = after


class Discard(Exception):
    """Raise it to make the delivery a dead letter at once: trying again would not help."""


class SoftTimeout(Exception):
    """Raised in a handler that is over its soft_timeout: clean up and return, or let it pass.

    What passes is a failure like any other, so the delivery is tried again.
    """


class Cancelled(BaseException):
    """Raised in a handler when its worker must end now: the delivery is given back.

    The attempt does not count. A handler that may run only once makes it a dead letter.
    """


class Tenure(Protocol):
    """What a process may believe of the lease that its handler works under.

    Attributes:
        refused: The lease is known to be lost.
    """

    refused: bool

    @property
    def lost(self) -> bool:
        """True once the store refused, or the time is up; from then on it stays true."""
        ...

    def extend(self, ends_ms: int) -> None:
        """Believe in the lease until then: the store has been asked, and said so."""
        ...


@verbs
class Context:
    """One attempt at one delivery.

    Attributes:
        store: The open store, for queues of one's own.
        attempt: 1 for the first.
        fence: Greater than that of every earlier claim; hand it to systems that can
            refuse a smaller one than they have seen.
        idempotency_key: The same for every attempt at this delivery, and for no other while
            its key is remembered.
        completed: Its transaction has committed.
        told: The store has told it that the lease is lost.
    """

    def __init__(
        self, claim: Claim, store: Store, tenure: Tenure, check: Callable[[], None] = lambda: None
    ) -> None:
        """`check` raises what the handler is interrupted with."""
        self._claim = claim
        self._tenure = tenure
        self._check = check
        self.store = store
        self.attempt = claim.attempt
        self.fence = claim.fence
        self.idempotency_key = _idempotency_key(claim)
        self.completed = False
        self.told = False

    @property
    def lost(self) -> bool:
        """True once the lease is lost or could not be renewed in time: stop working."""
        return self._tenure.lost

    def extend(self, lease: Duration) -> None:
        """Let the lease end no sooner than `lease` seconds from now.

        It is renewed all the time anyway; this is for a handler that wants to outlive a
        store which cannot be reached for that long.

        Raises:
            LeaseLost: Somebody else has the delivery; stop working.
        """
        with self._telling():
            asked_ms = self.store.engine.now_ms()
            self._claim.renew(lease)
        # What a transaction of the handler's may still roll back is not believed.
        if not self.store.engine.in_transaction():
            self._tenure.extend(asked_ms + milliseconds(lease, "lease"))
        self._check()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Hold a transaction that ends with the ack: these writes and it commit together.

        What is written here happens once, whatever crashes. It holds the store's one
        write lock, so compute first and write then. After it the delivery is done.

        Raises:
            LeaseLost: Somebody else has the delivery; nothing was written.
        """
        with self._telling(), self._claim.transaction() as tx:
            self._check()  # it had to wait until here
            yield tx
        self.completed = True

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except LeaseLost as error:
            # Not of a lease of the handler's own, nor of another store's.
            if (error.what, error.path) == (self._claim.hold.what, self.store.engine.path):
                self._tenure.refused = self.told = True
            raise


def _idempotency_key(claim: Claim) -> str:
    message = claim.message
    # A copy is to be handled again, and what was moved is still the same.
    its_own = message.key is None or message.copy_of is not None
    key = f"id:{message.id}" if its_own else f"key:{message.key}"
    parts = "\0".join((claim.origin, message.source or "", key))
    return hashlib.sha256(parts.encode()).hexdigest()
