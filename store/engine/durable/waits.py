"""The contract for waits: answers that others give to a handler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...types.durable.wait import Answered, Place, Secret, Subject, Wait
from ...types.messages.message import Message
from ..queue.claims import Hold


class WaitVerbs(Protocol):
    """What a database does for waits.

    An answer counts if and only if it commits before the deadline, on the store's clock. A wait
    that is open past its deadline has timed out, and nobody has to write that down. An enqueue
    wakes in its own transaction whoever waits for such a message.
    """

    def find(self, place: Place) -> Wait | None:
        """Return a wait, None while nobody has waited or answered there.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def count(self, delivery: int) -> int:
        """Return how many waits of a delivery are stored.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def messages(
        self, subject: Subject, *, before_ms: int, limit: int
    ) -> tuple[list[Message], int]:
        """Return messages with a body that a wait may be for, oldest first, at most `limit`.

        Also returns the id up to which has been looked: the next look begins there. Only
        those are looked at that were received before `before_ms`.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def is_over(self, hold: Hold, place: Place) -> bool:
        """True if a wait has timed out: then no answer will be accepted, nor is one on its way.

        Joins: no.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def answer(self, place: Place, value: str) -> Answered:
        """Keep an answer, JSON text, for a delivery that has not ended, and wake it if it waits.

        The first one counts. An answer may come before its wait.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def secrets(self) -> Sequence[Secret]:
        """Return all secrets, oldest first; one is made if there is none.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def rotate(self) -> Secret:
        """Make a new secret, which signs for what comes from now on; the others prove as before.

        Joins: no.

        Raises:
            LimitExceeded: There are 255.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def retire(self, id: int) -> bool:
        """Let a secret prove nothing from now on; False if there is none, or it is the newest.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
