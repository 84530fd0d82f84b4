"""A context to hand to a handler that a test calls itself."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import Self

from ..app import Context as WorkerContext
from ..store import Message, Store
from ..store.types.validate import count
from . import temporary
from .clock import Clock
from .tenure import LEASE_SECONDS, Kept


class Context(WorkerContext):
    """One attempt at one delivery, in a store that is gone with it.

    `transaction()`, `extend()` and `store` work as in a worker: after a transaction
    `completed` is true, and a lost lease is `LeaseLost`.

    Attributes:
        clock: Moves the store's time on; None with a store of one's own.
    """

    def __init__(
        self,
        message: Message | None = None,
        *,
        attempt: int = 1,
        fence: int | None = None,
        idempotency_key: str | None = None,
        lost: bool = False,
        queue: str = "test",
        store: Store | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Claim a delivery of its own.

        Args:
            message: What the delivery is of; its key makes the idempotency key.
            attempt, fence, idempotency_key: What the context says of itself, where a test
                needs other values than those of a first attempt.
            lost: Somebody else has the delivery; the same as setting `lost` later.
            queue: The handler's name.
            store: A store of one's own, which stays open.
            clock: For the store that is made.

        Raises:
            InvalidInput: An argument makes no sense.
        """
        count(attempt, "attempt")
        self.clock = clock
        self._end: weakref.finalize[[Store, str], Context] | None = None
        if store is None:
            self.clock = clock or Clock()
            store, folder = temporary.make(self.clock)
            self._end = weakref.finalize(self, temporary.close, store, folder)
        self._queue = store.queue(queue)
        key = None if message is None else message.key
        self._queue.enqueue(b"" if message is None else message.body, key=key)
        (claim,) = self._queue.claim(lease=LEASE_SECONDS)
        super().__init__(claim, store, Kept(store.engine))
        self.attempt = attempt
        if fence is not None:
            self.fence = count(fence, "fence", most=2**63 - 1)
        if idempotency_key is not None:
            self.idempotency_key = idempotency_key
        if lost:
            self.lost = True

    @property
    def lost(self) -> bool:
        """True once somebody else has the delivery; set it to have that so."""
        return super().lost

    @lost.setter
    def lost(self, lost: bool) -> None:
        if lost and not self._tenure.refused:
            self._tenure.refused = True
            self._claim.release()
            self._queue.claim(lease=LEASE_SECONDS)

    def close(self) -> None:
        """Remove the store that was made for it."""
        if self._end is not None:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
