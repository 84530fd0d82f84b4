"""The contract for the ends of messages, which somebody waits for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ...errors import LimitExceeded, QueueFull, StoreCorrupt
from ...types.durable.ended import Asked, Ended
from ...types.messages.draft import Draft
from ...types.messages.receipt import Receipt
from ...waiting.ends import Waiting


class EndVerbs(Protocol):
    """What a database does for those who wait until a message has ended.

    An engine that listens for a message is told, after the commit, of each delivery of it that
    ends, whichever process ends it. That is a hint: it may be missed, as when a process dies
    between its commit and the telling, or come for nothing. So who waits listens, then looks,
    and looks again from time to time.
    """

    @property
    def waiting(self) -> Waiting:
        """Those who wait by this engine."""
        ...

    def listen(self, messages: Sequence[int]) -> None:
        """Be told of the ends of these messages from now on, until they have ended.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Look from time to time.
        """
        ...

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        """Store messages like `queue.enqueue_each`, and listen for them, in one transaction.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Of all of them.
        """
        ...

    def look(self, asked: Sequence[Asked]) -> list[Ended | StoreCorrupt | None]:
        """Return what has become of each; None of what has not ended.

        A damaged result is the error in its place.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def hear(self, seconds: float) -> Collection[int]:
        """Wait until something is told, at most so long; return the messages.

        One thread at a time calls this, after a `listen`.

        Joins: no.

        Raises:
            InvalidInput: The engine was closed, also meanwhile.
        """
        ...
