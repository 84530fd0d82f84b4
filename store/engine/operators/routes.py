"""The contract for routes that an operator has turned off."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ...types.messages.draft import Address
from ...types.messages.message import Message
from ...types.unserved import OffRoute


class RouteVerbs(Protocol):
    """What a database does about routes that are off.

    A route is named by its queue. What a source sends to it while it is off, and while it is
    drained, is kept: the enqueue makes no delivery for that queue, and the key, the headers and
    the body stay. What is in the queue already is not touched, nor what is enqueued there
    without a source.
    """

    def off(self) -> list[OffRoute]:
        """Return the routes that are off or drained, by queue.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def turn_off(self, queue: str) -> bool:
        """Keep what comes for a queue from this commit on; False if that is so already.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def turn_on(self, queue: str) -> bool:
        """Have what is kept routed, and then what is new; False if it is not off.

        With nothing kept the route is on by this commit.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def discard(self, queue: str, limit: int) -> int:
        """Give up at most `limit` kept messages, oldest first; return how many it were.

        For this queue alone: a message ends by it when it has no other delivery to come. Its
        key is remembered like that of one that is done.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def draining(self, queues: Collection[str], sources: Collection[str]) -> list[str]:
        """Return which of these queues are drained, and have a kept message of these sources.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def kept(self, queue: str, sources: Collection[str], limit: int) -> list[Message]:
        """Return at most `limit` kept messages of these sources, oldest first.

        Fewer if they are large. One that cannot be read is left out; if the queue is drained,
        it becomes a dead letter.

        Joins: reads, and leaves out what is damaged.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def drain(self, queue: str, routed: Sequence[tuple[Message, Address | None]]) -> list[bool]:
        """Make the deliveries of kept messages, in one transaction, while the queue is drained.

        Give them as `kept` has returned them. Returns for each whether it was routed: it was not
        if another caller has done that, or once the queue is full. Without an address no route
        matches a message any more: it is unrouted, unless it has deliveries for other queues.
        The transaction that takes the last one turns the route on.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
