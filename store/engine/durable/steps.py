"""The contract for steps: what a handler has done already, and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ...errors import LeaseLost
from ...types.durable.sleep import Sleep
from ...types.durable.step import StepRecord, StepTransaction
from ..queue.claims import Hold


class StepVerbs(Protocol):
    """What a database does for steps.

    The records of a delivery are written by who holds its claim, and by nobody else. They are
    deleted when the delivery is done or cancelled, and with its message.
    """

    def seed(self) -> bytes:
        """Return 32 random bytes that are the store's own and never change.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def records(self, delivery: int) -> list[StepRecord]:
        """Return what is recorded of a delivery, by number.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def holds(self, hold: Hold) -> bool:
        """True while the claim holds, so that a record under it would be accepted.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def record(self, entries: Sequence[tuple[Hold, StepRecord]]) -> list[LeaseLost | None]:
        """Add records in one transaction; each answer is None, or why that one was refused.

        A claim holds for this as it does for an ack. The same record twice is one.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Of all of them.
        """
        ...

    def suspend(self, hold: Hold, sleep: Sleep) -> None:
        """End the attempt, and let the delivery sleep; it holds no lease and no worker.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def transaction(self, hold: Hold) -> AbstractContextManager[StepTransaction]:
        """Hold a transaction that commits the caller's writes and a record, or neither.

        Joins: no.

        Raises:
            LeaseLost: At its beginning; nothing was written.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
