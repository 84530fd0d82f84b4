"""The contract for queues: enqueue, claim, settle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ...errors import LimitExceeded, QueueFull, StoreCorrupt
from ...types.messages.death import Death
from ...types.messages.draft import Draft
from ...types.messages.limits import CapChanges, Caps, Limits
from ...types.messages.receipt import Receipt
from ...types.transaction import Transaction
from ..ports.clock import Term
from .claims import Hold, Leased
from .outbox import OutboxVerbs


class QueueVerbs(Protocol):
    """What a database does for queues.

    A verb that takes a Hold changes nothing and raises LeaseLost once the claim no longer
    holds: another claim has begun, or the delivery has ended otherwise. A claim holds past
    its expiry until then. The same end told twice is told once.
    """

    @property
    def outbox(self) -> OutboxVerbs:
        """What is kept of webhooks to be sent."""
        ...

    def enqueue(self, drafts: Sequence[Draft]) -> list[Receipt]:
        """Store what is new, all or nothing; receipts in the order of the drafts.

        Joins: yes.

        Raises:
            QueueFull, LimitExceeded: One of them has no room; none was stored.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        """Store what is new and has room, in one transaction.

        What has no room, or was done with a result that is damaged, stops no other: its
        place in the answer has the error.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Of all of them.
        """
        ...

    def caps(self, queue: str) -> Caps:
        """Return the caps of a queue.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def change_caps(self, queue: str, changes: CapChanges) -> None:
        """Bound the deliveries of a queue from now on; what is left out stays as it is.

        Nothing is written where that is how it is already.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def tell_deaths(self, queues: Mapping[str, bool]) -> None:
        """Have each death in these queues put in the queue DEATHS, or no longer.

        Nothing is written where that is how it is already.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def on_died(self, call: Callable[[Sequence[Death]], None]) -> None:
        """Have this called after each commit of this engine by which deliveries died.

        Joins: yes; deaths are told after the commit.

        Raises: nothing.
        """
        ...

    def claim(
        self,
        queues: Sequence[str],
        *,
        limit: int,
        lease_ms: int,
        owner: int | None = None,
        limits: Mapping[str, Limits] | None = None,
        acks: Sequence[tuple[Hold, str | None]] = (),
        releases: Sequence[Hold] = (),
        postponed: Sequence[tuple[Hold, int]] = (),
        prefetch: Mapping[str, int] | None = None,
        joins: Mapping[str, int] | None = None,
    ) -> tuple[list[Leased], list[Hold]]:
        """Ack, release, then lease at most `limit` deliveries, in one transaction.

        Returns the leases, in the order of the queues, then by priority, then oldest
        first; and those acks that were refused because the lease was lost. Deliveries of
        a queue named in `limits` have those from now on in place of the ones at enqueue.
        A queue that is paused gives nothing, nor does one with its max_leased. What is
        postponed is released, and can be claimed again after so many milliseconds. A release
        whose lease was lost changes nothing.

        With `prefetch`, for a caller that handles one after the other, all leases are of one
        queue: the first that gives any, at most as many as stand there. One with a max_leased
        gives one, because others could run the rest meanwhile.

        Of a queue named in `joins`, a delivery takes along those that wait behind it in its
        lane, oldest first: so many in all as stand there, as its own group_most says, and as
        the max_leased of the queue leaves room for. They have one fence and one token, and the
        hold names them all: each end of it is of all of them, or of none when one is lost. One
        group counts once towards `limit`.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed: Nothing was acked, released or claimed.
            OutcomeUnknown: Repeat the acks and releases. What may have been claimed is given back by
                `pools.disown`, or when its lease ends.
        """
        ...

    def renew(self, hold: Hold, lease_ms: int) -> Term:
        """Let the lease end no sooner than `lease_ms` from now.

        Joins: yes; believe the answer once that has committed.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def ack(self, hold: Hold, result: str | None) -> None:
        """Mark the delivery done; `result` is JSON text.

        What the hold counts is added in the same transaction, once.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def ack_many(self, holds: Sequence[Hold]) -> list[Hold]:
        """Mark deliveries done in one transaction; return those that were refused as lost.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Of all of them.
        """
        ...

    def completion(self, hold: Hold) -> AbstractContextManager[Transaction]:
        """Hold a transaction that ends with the ack: both commit or neither.

        Joins: no.

        Raises:
            LeaseLost: At its beginning or at its end; nothing was written.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def retry(self, hold: Hold, delay_ms: int, error: str | None) -> bool:
        """Give the delivery back; False when its attempts are used up and it is dead.

        Of a group no attempt counts. It keeps its place in its lane, and each of it is handed
        over with half as many from now on; what fails alone then goes alone, and lets others go
        before while it waits.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def release(self, hold: Hold) -> None:
        """Give the delivery back without counting the attempt.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def bury(self, hold: Hold, error: str) -> None:
        """Make the delivery a dead letter.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def next_at_ms(self, queues: Sequence[str]) -> int | None:
        """Return when something may be claimable: 0 for now, None when nothing is waiting.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def waiting_since_ms(self, queues: Sequence[str]) -> int | None:
        """Return when the oldest became ready of what these queues give now, None for nothing.

        What waits behind another of its lane is not given, nor what is over a limit.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def anything_left(self, queues: Sequence[str]) -> bool:
        """True while a delivery of these queues is ready, scheduled or leased.

        One that sleeps is left once its time has come.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...
