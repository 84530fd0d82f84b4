"""What operators see and change of pools, and of the store as a whole."""

from __future__ import annotations

import os

from ..engine import Engine
from ..naming import verbs
from ..types import validate
from ..types.probe import ProbeReport, ProbeStep
from ..types.schedule import KnownSchedule, Removal
from ..types.worker import MAX_WORKERS, Event, Pool, Worker


@verbs
class Administration:
    """The part of a store for its pools, its upkeep and its copies."""

    engine: Engine

    def wanted_workers(self) -> int | None:
        """Return the number that `scale` set; None if each pool has the number it started with."""
        return self.engine.pools.scale()

    def scale(self, workers: int | None) -> None:
        """Set the number of workers of every pool of this store, now and in the future.

        Running pools adjust to it. None gives each pool the number with which it was started.
        """
        if workers is not None:
            validate.count(workers, "workers", least=0, most=MAX_WORKERS)
        self.engine.pools.set_scale(workers)

    def pools(self) -> list[Pool]:
        """List the registered pools of workers, oldest first."""
        return self.engine.pools.pools()

    def schedules(self) -> list[KnownSchedule]:
        """List the schedules that pools have ever declared, by name."""
        return self.engine.pools.schedules.known()

    def remove_schedule(self, name: str) -> Removal:
        """Forget a schedule that no app declares any more.

        Returns "removed"; "running" if a running pool enqueues for it, and nothing was
        changed; "unknown" if there is none. Messages that it has enqueued stay. A pool that
        declares it later begins it anew, with no time missed.
        """
        return self.engine.pools.schedules.remove(validate.name(name, "name"))

    def workers(self) -> list[Worker]:
        """List the registered worker processes, oldest first."""
        return self.engine.pools.workers()

    def events(
        self, *, worker: int | None = None, pool: int | None = None, limit: int = 100
    ) -> list[Event]:
        """List at most `limit` events of workers and pools, newest first.

        The store keeps the last 10,000 events.

        Args:
            worker: Only events of the worker with this id.
            pool: Only events of the pool with this id.
        """
        for id in (worker, pool):
            if id is not None:
                validate.id(id)
        return self.engine.pools.events(
            worker=worker, pool=pool, limit=validate.count(limit, "limit")
        )

    def sweep(self) -> int:
        """Delete expired rows, in short transactions; return how many.

        A running pool does this by itself.
        """
        return sum(self.sweep_all().values())

    def sweep_all(self) -> dict[str, int]:
        """Remove everything that has expired, like `sweep`; return how many rows of each kind."""
        return self.engine.upkeep.sweep()

    def backup(self, dest: str | os.PathLike[str]) -> str:
        """Copy the store to a new file while others use it; return the file's full path.

        The copy is a single file with everything that was acknowledged before the call. No
        lease is held in it, and its fences continue 2**40 later, so a holder of a lease in
        the original cannot change the copy. No other process waits for the backup. While it
        runs, the WAL grows with each write.

        Raises:
            InvalidInput: The path is not usable; nothing was written.
            StoreOpenFailed: A file exists there, or none can be created.
            StoreFull: The disk is full; the unfinished copy was deleted.
            StoreFailed: Reading or writing failed; the unfinished copy was deleted.
            StoreCorrupt: The store is damaged; the unfinished copy was deleted.
        """
        return self.engine.upkeep.backup(validate.path(dest, "dest"))

    def probe(self) -> ProbeReport:
        """Try each thing that a store must be able to do; fast at any size of the store."""
        return self.engine.upkeep.probe()

    def examine(self) -> list[ProbeStep]:
        """Read the whole store and check it; slow if the store is large."""
        return [self.engine.upkeep.integrity(), *self.engine.upkeep.audit()]
