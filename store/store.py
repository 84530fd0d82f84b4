"""The store: the front of whatever database keeps the messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from msgspec import UNSET, UnsetType

from .engine import Engine
from .errors import InvalidInput
from .keyed import Keyed
from .leases import Lease, Leases
from .naming import verbs
from .once import Once, idempotent
from .operators import Operators
from .queue import Queue
from .rules.retention import DEFAULT_KEEP_RESULT_MS
from .types import validate
from .types.entry import Namespace, Overflow, Quarantined
from .types.message import QueueStats
from .types.probe import ProbeReport
from .types.transaction import Parameters, Row, Transaction
from .types.validate import Duration
from .types.worker import MAX_WORKERS, Event, Pool, Worker

_P = ParamSpec("_P")
_R = TypeVar("_R")


@verbs
class Store(Operators):
    """An open store. Threads may share it and take turns; processes may not.

    Attributes:
        leases: The named leases.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.leases = Leases(engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.engine.path!r})"

    def close(self) -> None:
        """Close the store; twice is as good as once."""
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
        """Open a queue by its name, which is its handler's.

        Args:
            max_rows, max_bytes: Bounds on its ready, scheduled and leased deliveries and
                their bodies, for all who enqueue there, from now on; None is no bound.
                What is left out stays as it is.
            max_leased: At most so many of its deliveries are leased at a time, by whomever,
                unless `limit` says otherwise.
            keep_body_for: Seconds that a message's body is kept once all its deliveries are
                done, so that it can be replayed; 0 at first. Of its queues' and its source's
                the longest counts.
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
        """Open a namespace of keyed state; without options that makes nothing.

        Options are recorded by the first opening that gives one, or by the first write.
        What is left out is as recorded: at first no cap, no ttl, "evict". They can be
        changed while the namespace has no entries; the owner's, while the owner has none.

        Args:
            max_entries: The most rows, expired ones included until they are swept.
            ttl: Seconds that an entry lives unless it is registered with others.
            overflow: What a new key does at a cap: "evict" deletes the oldest entry of
                this namespace, "reject" raises LimitExceeded.
            owner_max_entries: The most rows of all namespaces of this owner.

        Raises:
            InvalidInput: An argument makes no sense, or differs from what is recorded.
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
        """List at most `limit` damaged things that were set aside, newest first."""
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
        """Claim a key to work on it once, or learn what has become of it.

        Args:
            lease: Seconds until another may claim it, should this process fail; see
                Once.renew.
            keep_for: Seconds that the result is remembered from completion on; no less
                than the other side goes on repeating itself.
            payload: What came with the key; only its SHA-256 is kept.
            aliases: Other keys of the same thing: claimed and completed with it, and only
                if all are free.

        Raises:
            KeyConflict: The key is known, with another payload.
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
        """Run a function once for each key, and give its result to whoever calls again.

        `key` and `payload` are called with the function's arguments. The result must be
        JSON, and every caller gets it as it comes out of JSON. A call that raises is
        forgotten, so the next one runs. The lease, of at least 1 s, is renewed meanwhile.

        The decorated function raises:
            LeaseHeld: Another call is at the same key.
            LeaseLost: It ran, but so did another since its lease had ended; that one counts.
            KeyConflict: The key is known, with another payload.
            InvalidInput, LimitExceeded: There is no key, and the function did not run; or its
                result is not JSON, or is over 25 MiB, and it was forgotten.
        """
        return idempotent(
            self.engine, namespace, key=key, lease=lease, keep_for=keep_for, payload=payload
        )

    def transaction(self, *, fence: Lease | None = None) -> AbstractContextManager[Transaction]:
        """Hold a write transaction on tables of the caller's own.

        Calls to this store by the same thread within the block are part of it, so
        `enqueue` and a business row commit together. It holds the one write lock.

        Args:
            fence: Commit only while this lease is held, which is looked at when the
                transaction begins and again just before its end.

        Raises:
            StoreBusy: No lock within busy_timeout; nothing was changed.
            LeaseLost: The fence is stale; nothing was changed.
            OutcomeUnknown: COMMIT raised.
        """
        if fence is None:
            return self.engine.transaction()
        if not isinstance(fence, Lease):
            raise InvalidInput(f"fence must be a Lease, not {type(fence).__name__}")
        return fence.fencing(self.engine)

    def read(self, sql: str, parameters: Parameters = (), *, timeout: Duration = 60) -> list[Row]:
        """Run one statement that only reads, and return all of its rows.

        It takes no write lock and waits for no transaction of another thread or process;
        it sees what is committed. Within a transaction of the same thread it is a part of
        that, and sees what was written there. The store's own tables may be read, but their
        columns may change with any version.

        Args:
            parameters: A sequence for ?, a mapping for :name.
            timeout: Seconds after which the statement is stopped. While it runs, the WAL
                grows with each write and cannot begin anew.

        Raises:
            InvalidInput: The arguments are not of these kinds.
            SqlError: It failed, would change something, or took too long.
        """
        return self.engine.read(
            validate.statement(sql),
            validate.parameters(parameters),
            timeout_ms=validate.milliseconds(timeout, "timeout", least=1),
        ).rows

    def stats(self) -> dict[str, QueueStats]:
        """Count deliveries by state, for every queue that has had one."""
        return self.engine.stats()

    def scale(self, workers: int | None) -> None:
        """Have every pool of this store, also those to come, run so many workers.

        None: each as it was started.
        """
        if workers is not None:
            validate.count(workers, "workers", least=0, most=MAX_WORKERS)
        self.engine.pools.set_scale(workers)

    def pools(self) -> list[Pool]:
        """List the registered pools of workers, oldest first."""
        return self.engine.pools.pools()

    def workers(self) -> list[Worker]:
        """List the registered worker processes, oldest first."""
        return self.engine.pools.workers()

    def events(
        self, *, worker: int | None = None, pool: int | None = None, limit: int = 100
    ) -> list[Event]:
        """List at most `limit` of what became of workers and pools, newest first.

        Of one worker, of one pool, or of all; the last ten thousand are kept.
        """
        for id in (worker, pool):
            if id is not None:
                validate.id(id)
        return self.engine.pools.events(
            worker=worker, pool=pool, limit=validate.count(limit, "limit")
        )

    def sweep(self) -> int:
        """Remove all that has expired, in short transactions; return how many rows."""
        return sum(self.engine.upkeep.sweep().values())

    def backup(self, dest: str | os.PathLike[str]) -> str:
        """Copy the store to a new file while others work with it; return its full path.

        The copy is one file and holds all that was acknowledged before the call. Whoever
        held a lease when it was made has none in it, and its fences go on 2**40 later.
        Nobody waits for it; while it runs the WAL grows with each write.

        Raises:
            InvalidInput, StoreOpenFailed: Nothing can be put there, or something is there.
            StoreFull, StoreFailed, StoreCorrupt: It failed, and left nothing there.
        """
        return self.engine.upkeep.backup(validate.path(dest, "dest"))

    def probe(self) -> ProbeReport:
        """Try each thing a store must be able to do; quick at any size."""
        return self.engine.probe()
