"""The Store: the public object behind connect()."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import ParamSpec, Self, TypeVar

from msgspec import UNSET, UnsetType

from .engine import Engine
from .errors import InvalidInput
from .idempotent import idempotent
from .keyed import Keyed
from .leases import Lease, Leases
from .naming import verbs
from .once import Once
from .operators.administration import Administration
from .operators.messages import Messages
from .operators.queues import Queues
from .operators.routes import Routes
from .outbox import Sending
from .queue import Queue
from .rules.retention import DEFAULT_KEEP_RESULT_MS
from .types import validate
from .types.keyed.entry import Namespace, Overflow, Quarantined
from .types.queue_stats import QueueStats
from .types.transaction import Parameters, Row, Table, Transaction
from .types.validate import Duration

_P = ParamSpec("_P")
_R = TypeVar("_R")


@verbs
class Store(Messages, Routes, Queues, Administration, Sending):
    """An open store, from `connect`.

    Threads of one process may share it; they take turns. A forked child must open its own.
    Used in `with`, it is closed at the end of the block.

    Attributes:
        leases: The named leases.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.leases = Leases(engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.address!r})"

    @property
    def address(self) -> str:
        """Where the store is, as it may be shown: without a password."""
        return self.engine.identity.address

    def close(self) -> None:
        """Close the store; closing it again does nothing."""
        self.engine.close()

    def queue(
        self,
        name: str,
        *,
        max_rows: int | UnsetType | None = UNSET,
        max_bytes: int | UnsetType | None = UNSET,
        max_leased: int | UnsetType | None = UNSET,
        keep_body_for: Duration | UnsetType = UNSET,
    ) -> Queue:
        """Open a queue. Its name is the name of the handler that works on it.

        The store records the settings, for every process that enqueues or claims from now
        on. A setting that is left out keeps the recorded value.

        Args:
            max_rows: The most deliveries that may be ready, scheduled or leased; None for no
                cap, which is the default.
            max_bytes: The most bytes of their bodies; None for no cap, which is the default.
            max_leased: The most deliveries that may be leased at the same time, by all
                processes together; None for no limit, which is the default. `limit`
                overrides it.
            keep_body_for: Seconds for which a message's body is kept once all its deliveries
                are done, so that it can be replayed; by default 0. If the source and several
                queues set it, the longest counts.
        """
        queue = Queue(self.engine, name)
        queue.set_caps(max_rows, max_bytes, max_leased, keep_body_for)
        return queue

    def keyed(
        self,
        owner: str,
        name: str,
        *,
        max_entries: int | UnsetType | None = UNSET,
        ttl: Duration | UnsetType | None = UNSET,
        overflow: Overflow | UnsetType = UNSET,
        owner_max_entries: int | UnsetType | None = UNSET,
    ) -> Keyed:
        """Open a namespace of keyed state.

        The first call that gives an option, or the first write, records the options. An
        option that is left out keeps its recorded value; at first that is no cap, no ttl and
        "evict". Options can be changed while the namespace has no entries, and
        `owner_max_entries` while no namespace of the owner has any. A call without options
        writes nothing.

        Args:
            max_entries: The most rows. An expired entry counts until it is swept.
            ttl: Seconds after which an entry expires, unless it is registered with a ttl of
                its own.
            overflow: What a new key does at a cap: "evict" deletes the oldest entry of
                this namespace, "reject" raises LimitExceeded.
            owner_max_entries: The most rows in all namespaces of this owner together.

        Raises:
            InvalidInput: An argument is not usable, or differs from the recorded option.
        """
        return Keyed(
            self.engine,
            owner,
            name,
            max_entries=max_entries,
            ttl=ttl,
            overflow=overflow,
            owner_max_entries=owner_max_entries,
        )

    def namespaces(self, *, limit: int = 1000) -> list[Namespace]:
        """List at most `limit` namespaces of keyed state, by owner and name."""
        return self.engine.keyed.namespaces(validate.count(limit, "limit"))

    def quarantined(self, *, limit: int = 1000) -> list[Quarantined]:
        """List at most `limit` damaged rows that were moved to quarantine, newest first."""
        return self.engine.keyed.quarantined(validate.count(limit, "limit"))

    def once(
        self,
        namespace: str,
        key: str,
        *,
        lease: Duration = 30,
        keep_for: Duration = DEFAULT_KEEP_RESULT_MS / 1000,
        payload: bytes | None = None,
        aliases: Collection[str] = (),
    ) -> Once:
        """Claim a key, to do its work once; or learn its result, or who is working on it.

        Args:
            lease: Seconds until another caller may claim the key, if this process dies.
                `Once.renew` extends it.
            keep_for: Seconds for which the result is kept after completion, by default one
                day. It should be at least as long as the other side may repeat its request.
            payload: The bytes that came with the key; only their SHA-256 is stored.
            aliases: More keys of the same work. They are claimed and completed together
                with `key`, and only if all of them are free.

        Raises:
            KeyConflict: The key is known with another payload; nothing was changed.
            StoreBusy: Nothing was changed.
        """
        return Once.claim(
            self.engine,
            namespace,
            key,
            lease=lease,
            keep_for=keep_for,
            payload=payload,
            aliases=aliases,
        )

    def idempotent(
        self,
        namespace: str,
        *,
        key: Callable[..., str | None],
        lease: Duration = 30,
        keep_for: Duration = DEFAULT_KEEP_RESULT_MS / 1000,
        payload: Callable[..., bytes] | None = None,
    ) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
        """Decorate a function so that it runs once per key; a later call gets the first result.

        `key` and `payload` are called with the function's arguments. The result must be
        JSON, and every caller gets it as JSON gives it back: a tuple becomes a list. When the
        function raises, its key is free again and the next call runs. A thread renews the
        lease, which must be at least 1 s, while the function runs.

        Calls of the decorated function may raise `LeaseHeld` (another call is running for
        this key), `LeaseLost` (the lease expired, another call ran, and its result counts),
        `KeyConflict` (the key is known with another payload), `InvalidInput` (the key is
        None, and the function did not run; or the result is not JSON, and the key is free)
        and `LimitExceeded` (the result is over 25 MiB, and the key is free).
        """
        return idempotent(
            self.engine, namespace, key=key, lease=lease, keep_for=keep_for, payload=payload
        )

    def transaction(self, *, fence: Lease | None = None) -> AbstractContextManager[Transaction]:
        """Open a write transaction on tables of your own, for a `with` block.

        It commits at the end of the block, and rolls back if the block raises. Calls to this
        store by the same thread inside the block are part of the transaction, so an
        `enqueue` and a row of yours commit together. Keep the block short: other writers
        wait for it.

        Args:
            fence: A named lease. The transaction commits only while this lease is held. That
                is checked when the transaction begins and again just before it commits.

        Raises:
            StoreBusy: The write lock was not free within busy_timeout; nothing was changed.
            LeaseLost: The lease has ended; nothing was changed.
            OutcomeUnknown: COMMIT failed, and the changes may be stored or not.
        """
        if fence is None:
            return self.engine.transactions.begin()
        if not isinstance(fence, Lease):
            raise InvalidInput(f"fence must be a Lease, not {type(fence).__name__}")
        return fence.fencing(self.engine)

    def read(self, sql: str, parameters: Parameters = (), *, timeout: Duration = 60) -> list[Row]:
        """Run one statement that only reads, and return all of its rows as tuples.

        It sees what is committed, and waits for no transaction of another thread or process.
        Inside a transaction of the same thread it is part of that transaction, and sees what
        was written there. You may read Fencepost's own tables, but their columns may change
        with any version.

        Args:
            parameters: A sequence for `?`, a mapping for `:name`.
            timeout: Seconds after which the statement is stopped. Keep reads short: while
                one runs, the database cannot reuse the space of its log (the WAL).

        Raises:
            InvalidInput: An argument has the wrong type.
            SqlError: The statement failed, would change something, or took too long.
        """
        return self._table(sql, parameters, timeout, None).rows

    def table(
        self,
        sql: str,
        parameters: Parameters = (),
        *,
        timeout: Duration = 60,
        limit: int | None = None,
    ) -> Table:
        """Run a statement like `read`; return at most `limit` rows, and the columns' names."""
        most = None if limit is None else validate.count(limit, "limit")
        return self._table(sql, parameters, timeout, most)

    def _table(
        self, sql: str, parameters: Parameters, timeout: Duration, most: int | None
    ) -> Table:
        return self.engine.transactions.read(
            validate.statement(sql),
            validate.parameters(parameters),
            timeout_ms=validate.milliseconds(timeout, "timeout", least=1),
            most=most,
        )

    def counters(self) -> dict[str, int]:
        """Return what handlers have counted with `ctx.count`: the sums by name."""
        return self.engine.durable.counters()

    def now(self) -> float:
        """Return the time on the store's clock, in Unix seconds."""
        return self.engine.clock.now_ms() / 1000

    def stats(self) -> dict[str, QueueStats]:
        """Count deliveries by state, for every queue that has ever had one."""
        return self.engine.operators.stats()
