"""The answer to an enqueue, and waiting for the message to end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

from ...errors import InvalidInput
from ..durable.ended import Ended, Waits
from .state import State

Status = Literal["accepted", "duplicate", "conflict"]


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
            InvalidInput: The receipt is not one of `Queue.enqueue`, `Queue.enqueue_many`,
                `Store.outbox` or `Context.send`, the call is within a transaction, or the store
                was closed meanwhile.
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
                "only a receipt of Queue.enqueue, enqueue_many, Store.outbox or ctx.send can be"
                " waited for",
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
