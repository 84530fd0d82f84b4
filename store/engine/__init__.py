"""The contract between the store and a database: one Protocol, an implementation for each.

Every verb that takes a Hold changes nothing and raises LeaseLost when the claim no
longer holds. Every verb that writes may raise StoreBusy (nothing changed) and
OutcomeUnknown (call it again: the answer is then the first call's).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import LimitExceeded, QueueFull, StoreCorrupt
from ..types.delivery import Content, Delivery, Outcome, Stored
from ..types.filter import Filter
from ..types.message import Caps, Death, Draft, Limits, Message, QueueStats, Receipt
from ..types.probe import ProbeReport, ProbeStep
from ..types.transaction import Parameters, Table, Transaction
from .keyed import KeyedEngine
from .leases import NamedLeases
from .once import KeyClaims
from .pools import Pools
from .routing import Routing
from .upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Hold:
    """What proves a claim: the delivery, its fence, its token."""

    id: int
    fence: int
    token: str = field(repr=False)

    @property
    def what(self) -> str:
        """What it is a hold on, as errors name it."""
        return f"delivery d{self.id}"


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery as claimed: the message, and what proves the lease.

    Attributes:
        origin: The queue that it was first put in, should it have been moved since.
    """

    hold: Hold
    queue: str
    message: Message
    attempt: int
    until_ms: int
    origin: str | None = None


class Engine(Protocol):
    """What a database does for the store."""

    path: str

    @property
    def keyed(self) -> KeyedEngine:
        """The part that keeps keyed state."""
        ...

    @property
    def leases(self) -> NamedLeases:
        """The named leases."""
        ...

    @property
    def once(self) -> KeyClaims:
        """The two-phase claims of keys."""
        ...

    @property
    def pools(self) -> Pools:
        """The pools and their workers."""
        ...

    @property
    def routing(self) -> Routing:
        """What nobody handles."""
        ...

    @property
    def upkeep(self) -> Upkeep:
        """What the database does about itself."""
        ...

    # a message's life, in its order

    def enqueue(self, drafts: Sequence[Draft]) -> list[Receipt]:
        """Store what is new, all or nothing; receipts in the order of the drafts.

        Raises:
            QueueFull, LimitExceeded: One of them has no room; none was stored.
        """
        ...

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        """Store what is new and has room, in one transaction; what has none, or
        was done with a result that is damaged, stops no other."""
        ...

    def caps(self, queue: str) -> Caps:
        """Return the caps of a queue."""
        ...

    def set_caps(self, queue: str, caps: Caps) -> None:
        """Bound the deliveries of a queue from now on."""
        ...

    def tell_deaths(self, queues: Mapping[str, bool]) -> None:
        """Have each death in these queues put in the queue DEATHS, or no longer."""
        ...

    def on_died(self, call: Callable[[Sequence[Death]], None]) -> None:
        """Have this called after each commit of this opening by which deliveries died."""
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
    ) -> tuple[list[Leased], list[Hold]]:
        """Ack, then lease at most `limit` deliveries, in one transaction.

        Returns the leases, in the order of the queues, then by priority, then oldest
        first; and those acks that were refused because the lease was lost. Deliveries of
        a queue named in `limits` have those from now on in place of the ones at enqueue.
        A queue that is paused gives nothing, nor does one with its max_leased.
        """
        ...

    def renew(self, hold: Hold, lease_ms: int) -> int:
        """Return the new expiry in milliseconds on the store's clock."""
        ...

    def ack(self, hold: Hold, result: str | None) -> None:
        """Mark the delivery done; `result` is JSON text."""
        ...

    def ack_many(self, holds: Sequence[Hold]) -> list[Hold]:
        """Mark deliveries done in one transaction; return those that were refused as lost."""
        ...

    def completion(self, hold: Hold) -> AbstractContextManager[Transaction]:
        """Hold a transaction that ends with the ack: both commit or neither."""
        ...

    def retry(self, hold: Hold, delay_ms: int, error: str | None) -> bool:
        """Give the delivery back; False when its attempts are used up and it is dead."""
        ...

    def release(self, hold: Hold) -> None:
        """Give the delivery back without counting the attempt."""
        ...

    def bury(self, hold: Hold, error: str) -> None:
        """Make the delivery a dead letter."""
        ...

    # waiting

    def next_at_ms(self, queues: Sequence[str]) -> int | None:
        """Return when something may be claimable: 0 for now, None when nothing is waiting."""
        ...

    def waiting_since_ms(self, queues: Sequence[str]) -> int | None:
        """Return when the oldest became ready of what these queues give now, None for nothing.

        What waits behind another of its lane is not given, nor what is over a limit.
        """
        ...

    def fileno(self) -> int:
        """Return a descriptor that is readable when a message may have come, until `hush`."""
        ...

    def hush(self) -> None:
        """Forget the wake-ups so far; look for work after it."""
        ...

    # operators

    def stats(self) -> dict[str, QueueStats]:
        """Return the counts of every queue that has had a delivery, by name."""
        ...

    def anything_left(self, queues: Sequence[str]) -> bool:
        """True while a delivery of these queues is ready, scheduled or leased."""
        ...

    def deliveries(self, wanted: Filter, limit: int, before: int | None) -> list[Delivery]:
        """Return at most `limit` deliveries, newest first, from those with an id below `before`."""
        ...

    def delivery(self, id: int) -> Delivery | None:
        """Return one delivery."""
        ...

    def content(self, id: int) -> Content | None:
        """Return what a delivery carries and what came of it."""
        ...

    def message(self, id: int) -> Stored | None:
        """Return a message by its id."""
        ...

    def replay(self, ids: Sequence[int]) -> list[Outcome]:
        """Make dead or cancelled deliveries ready again, in one transaction."""
        ...

    def cancel(self, ids: Sequence[int]) -> list[Outcome]:
        """End ready deliveries, or give up dead ones for good, in one transaction."""
        ...

    def move(self, ids: Sequence[int], queue: str) -> list[Outcome]:
        """Give ready and dead deliveries to another queue, in one transaction."""
        ...

    def pause(self, queue: str, paused: bool) -> bool:
        """Let nothing of a queue be claimed, or claim on; False when nothing was known of it.

        What is paused before anything was known of it starts paused.
        """
        ...

    def limit(self, queue: str, most: int | None) -> bool:
        """Bound what is leased of a queue, before its own max_leased; None for no such bound.

        Returns False when nothing was known of it; it is known from now on.
        """
        ...

    # the whole

    def transaction(self, operation: str = "transaction") -> AbstractContextManager[Transaction]:
        """Hold a transaction; calls of the same thread within it are part of it."""
        ...

    def read(
        self, sql: str, parameters: Parameters, *, timeout_ms: int, most: int | None = None
    ) -> Table:
        """Return at most `most` rows of a statement that only reads; waits for no transaction.

        Within a transaction of the calling thread it is a part of that.
        """
        ...

    def in_transaction(self) -> bool:
        """True within a transaction that the calling thread holds."""
        ...

    def twin(self) -> Engine:
        """Open the same database once more, for a thread that must not wait for this one's."""
        ...

    def now_ms(self) -> int:
        """Milliseconds on the store's clock."""
        ...

    def ping(self) -> None:
        """Read one row, or raise what keeps the store from answering."""
        ...

    def probe(self) -> ProbeReport:
        """Try each thing a store must be able to do; quick at any size."""
        ...

    def integrity(self) -> ProbeStep:
        """Read the whole store and check it; slow when it is large."""
        ...

    def close(self) -> None:
        """Give up the database; twice is as good as once."""
        ...
