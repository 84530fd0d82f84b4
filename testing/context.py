"""A context for a handler that a test calls itself."""

from __future__ import annotations

import weakref
from typing import Self

from ..app import Context as WorkerContext
from ..store import Message, Store
from ..store.types.validate import count
from . import temporary
from .clock import Clock
from .kept_lease import LEASE_SECONDS, kept


class Context(WorkerContext):
    """A context for a handler that a test calls itself.

    It has a temporary store, which is deleted with it. `transaction()`, `extend()` and
    `store` work as in a worker: after a transaction `completed` is true, and with a lost
    lease they raise `LeaseLost`.

    Attributes:
        clock: The clock of the temporary store; None with a store of your own.
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
        """Enqueue a message and claim it.

        Args:
            message: The message; its key determines the idempotency key.
            attempt: The attempt that the context shows.
            fence: The fence that the context shows; None for the real one.
            idempotency_key: The idempotency key that the context shows; None for the real
                one.
            lost: True if another worker has claimed the delivery; `ctx.lost = True` does
                the same later.
            queue: The handler's name.
            store: A store of your own, which stays open.
            clock: The clock of the temporary store.

        Raises:
            InvalidInput: An argument is not usable.
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
        super().__init__(claim, store, kept(store.engine))
        self.attempt = attempt
        if fence is not None:
            self.fence = count(fence, "fence", most=2**63 - 1)
        if idempotency_key is not None:
            self.idempotency_key = idempotency_key
        if lost:
            self.lost = True

    @property
    def lost(self) -> bool:
        """True once another worker has claimed the delivery. Set it to simulate that."""
        return super().lost

    @lost.setter
    def lost(self, lost: bool) -> None:
        if lost and not self._lease.refused:
            self._lease.refused = True
            self._claim.release()
            self._queue.claim(lease=LEASE_SECONDS)

    def close(self) -> None:
        """Delete the temporary store."""
        if self._end is not None:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
