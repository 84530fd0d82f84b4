"""The contract for steps: what a handler has done already, and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ...errors import LeaseLost
from ...types.durable.step import StepRecord, StepTransaction
from ...types.durable.wait import Wanted
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

    def suspend(
        self,
        hold: Hold,
        *,
        at: str,
        until_ms: int,
        anew: bool,
        records: Sequence[StepRecord],
        waits: Sequence[Wanted] = (),
    ) -> None:
        """End the attempt, and let the delivery sleep until then; it holds no lease and no worker.

        Args:
            at: The name of the step that it sleeps at.
            anew: It has come further than in any attempt before: its attempts and crashes are
                counted anew, and the time for which it is tried begins when it wakes. Else
                this attempt does not count.
            records: Added in the same transaction.
            waits: What it waits for, each until its deadline. If one of them has been answered
                in the meantime, or such a message has come, it can be claimed at once.

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
