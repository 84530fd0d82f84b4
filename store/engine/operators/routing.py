"""The contract for unrouted messages, unserved queues and conflicts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ...types.delivery import Outcome
from ...types.messages.draft import Address
from ...types.messages.message import Message
from ...types.unserved import Conflicts, Unrouted, UnroutedCount, Unserved


class RoutingVerbs(Protocol):
    """What a database does about messages that no route matched, and the like."""

    def unrouted(
        self,
        *,
        source: str | None = None,
        event: str | None = None,
        key: str | None = None,
        since_ms: int | None = None,
        limit: int,
        before: int | None = None,
    ) -> list[Unrouted]:
        """Return at most `limit` messages that no route matched, or whose routes are off.

        The newest first. `before` is an id: only older ones.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def unrouted_counts(self) -> list[UnroutedCount]:
        """Count the messages that no route matched, by source and event.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def replay_unrouted(self, ids: Sequence[int]) -> list[Outcome]:
        """Have messages routed again by the workers of a pool, in one transaction.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def to_route(self, sources: Collection[str], limit: int) -> list[Message]:
        """Return at most `limit` messages of these sources that are to be routed again.

        One that cannot be read is left out, and waits for an operator as before.

        Joins: reads, and leaves out what is damaged.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def anything_to_route(self, sources: Collection[str]) -> bool:
        """True while a message of these sources is to be routed again.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def route(self, routed: Sequence[tuple[Message, Sequence[Address]]]) -> list[bool]:
        """Make the deliveries of messages that still are to be routed, in one transaction.

        Without an address a message is unrouted as before. Returns for each whether it was
        still to be routed.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def unserved(self) -> list[Unserved]:
        """Return the queues that hold work and that no running pool serves, by name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def conflicts(self) -> list[Conflicts]:
        """Return the sources that have sent a known key with another body, by name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def keys_of(self, source: str) -> int:
        """Count the keys of a source that are remembered; slow when a store has many.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...
