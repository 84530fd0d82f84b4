"""The contract between the store and a database: an Engine for each, in parts and ports.

A *part* holds verbs that read or write the store. A *port* is what some database gives for
free and another has to be asked for: its clock, who is alive, what wakes a sleeper, who the
store is.

Every verb is atomic by itself, whatever other threads and processes do at the same time: no
caller combines two of them to be safe. Each says under `Raises:` which errors it has of its
own, and under `Joins:` what it does within a transaction of the calling thread:

- `yes`: it becomes a part of that. It is durable when that commits, and undone with it.
- `no`: it raises InvalidInput. What it returns would be believed before it is true.
- `reads`: it sees what the transaction has written, and changes nothing.

After StoreBusy, StoreFull and StoreFailed nothing was changed. After OutcomeUnknown the change
is there or not: the same call again answers as the first would have. Beyond what is listed,
any verb may raise StoreCorrupt for a row that cannot be what it says, InvalidInput once the
engine is closed, and ForkedStore in a child of the process that opened it.

A fence is unique in the store, and rises strictly from one claim of a delivery to the next,
and from one lease of a name to the next. It orders nothing else.
"""

from __future__ import annotations

from typing import Protocol

from .durable.verbs import DurableVerbs
from .keyed import KeyedVerbs
from .leases import LeaseVerbs
from .operators.verbs import OperatorVerbs
from .pools.verbs import PoolVerbs
from .ports.clock import StoreClock
from .ports.identity import Identity
from .ports.wakeup import Wakeup
from .queue.claims import Hold, Leased
from .queue.verbs import QueueVerbs
from .transactions import TransactionVerbs
from .upkeep import UpkeepVerbs

__all__ = ["Engine", "Hold", "Leased"]


class Engine(Protocol):
    """What a database does for the store."""

    @property
    def identity(self) -> Identity:
        """Which store it is, and where."""
        ...

    @property
    def clock(self) -> StoreClock:
        """The store's time, and this machine's stopwatch."""
        ...

    @property
    def wakeup(self) -> Wakeup:
        """What tells an idle worker that there may be work."""
        ...

    @property
    def queue(self) -> QueueVerbs:
        """The life of a message: enqueue, claim, ack and the other ends."""
        ...

    @property
    def durable(self) -> DurableVerbs:
        """What handlers remember."""
        ...

    @property
    def operators(self) -> OperatorVerbs:
        """What operators see and change."""
        ...

    @property
    def keyed(self) -> KeyedVerbs:
        """Keyed state."""
        ...

    @property
    def leases(self) -> LeaseVerbs:
        """The named leases, and the two-phase claims of keys."""
        ...

    @property
    def pools(self) -> PoolVerbs:
        """The pools and their workers."""
        ...

    @property
    def transactions(self) -> TransactionVerbs:
        """Transactions of the caller's own."""
        ...

    @property
    def upkeep(self) -> UpkeepVerbs:
        """Checks, sweeps and copies of the whole store."""
        ...

    def close(self) -> None:
        """Give up the database; twice is as good as once.

        Joins: no.

        Raises:
            InvalidInput: Within a transaction; it stays open.
        """
        ...
