"""The contract for operators: listing, replay, cancel, move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...types.delivery import Content, Delivery, Forget, Outcome, Stored
from ...types.filter import Filter
from ...types.queue_stats import QueueStats
from .routes import RouteVerbs
from .routing import RoutingVerbs


class OperatorVerbs(Protocol):
    """What a database does for operators."""

    @property
    def routing(self) -> RoutingVerbs:
        """What nobody handles."""
        ...

    @property
    def routes(self) -> RouteVerbs:
        """Routes that are off."""
        ...

    def stats(self) -> dict[str, QueueStats]:
        """Return the counts of every queue that has had a delivery, by name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def deliveries(self, wanted: Filter, limit: int, before: int | None) -> list[Delivery]:
        """Return at most `limit` deliveries, newest first, from those with an id below `before`.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def delivery(self, id: int) -> Delivery | None:
        """Return one delivery.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def content(self, id: int) -> Content | None:
        """Return what a delivery carries and what came of it.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def message(self, id: int) -> Stored | None:
        """Return a message by its id.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def replay(self, ids: Sequence[int], *, forget: Forget = None) -> list[Outcome]:
        """Make dead or cancelled deliveries ready again, and copies of done ones.

        With `forget` their handlers do not remember everything, but what is before that step,
        or nothing.

        In one transaction; outcomes in their order. A second call makes a second copy.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def cancel(self, ids: Sequence[int]) -> list[Outcome]:
        """End ready deliveries, or give up dead ones for good, in one transaction.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def move(self, ids: Sequence[int], queue: str) -> list[Outcome]:
        """Give ready and dead deliveries to another queue, in one transaction.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def pause(self, queue: str, paused: bool) -> bool:
        """Let nothing of a queue be claimed, or claim on; False when nothing was known of it.

        What is paused before anything was known of it starts paused.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def limit(self, queue: str, most: int | None) -> bool:
        """Bound what is leased of a queue, before its own max_leased; None for no such bound.

        Returns False when nothing was known of it; it is known from now on.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
