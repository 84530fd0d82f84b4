"""The contract for joins: deliveries of one lane that were handed over in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..queue.claims import Hold


class Apart(NamedTuple):
    """One of a group that has failed by itself.

    Attributes:
        delay_ms: Until its next attempt; None makes it a dead letter.
    """

    delivery: int
    delay_ms: int | None
    error: str


class JoinVerbs(Protocol):
    """What a database does for joins, beside `QueueVerbs.claim` and the ends of claims."""

    def settle(self, hold: Hold, apart: Sequence[Apart], result: str | None) -> None:
        """End a group: what has failed is tried again, or dead; the others are done.

        Each that has failed has made an attempt that counts. It goes alone from now on, and
        gives up its place in its lane while it waits for its next attempt.

        Joins: yes.

        Raises:
            LeaseLost: One of the group is not held; nothing was changed.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
