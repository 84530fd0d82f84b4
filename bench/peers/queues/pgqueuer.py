"""PgQueuer on PostgreSQL through asyncpg: its queries, and its manager in each process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from ..handler import handle
from ..place import Place
from ..queue import Promises, Queue
from ..services import postgres_setting

T = TypeVar("T")
_ENTRYPOINT = "bench"


async def _driver(place: Place) -> Any:
    import asyncpg
    from pgqueuer.db import AsyncpgDriver

    return AsyncpgDriver(await asyncpg.connect(place.url))


class Producer:
    """One connection and the loop that drives it."""

    def __init__(self, place: Place) -> None:
        self.url = place.url
        self.loop = asyncio.new_event_loop()
        self.queries = self._run(self._open(place))

    async def _open(self, place: Place) -> Any:
        from pgqueuer import Queries

        return Queries(await _driver(place))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def put(self, number: int, body: bytes) -> object:
        """Enqueue one."""
        return self._run(self.queries.enqueue(_ENTRYPOINT, body))

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> object:
        """Enqueue in one statement."""
        count = len(bodies)
        names, priorities = [_ENTRYPOINT] * count, [0] * count
        return self._run(self.queries.enqueue(names, list(bodies), priorities))

    def setting(self) -> str:
        """Ask the server."""
        return postgres_setting(self.url)


class PgQueuer(Queue):
    """As it comes: batches of 10."""

    name = "PgQueuer"
    package = "pgqueuer"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived"}
    service = "postgres"
    messages = (1_500, 2_000)
    bulk = True
    batched = True
    promises = Promises(
        fenced="no: a job is finished by its id",
        deduped="no: dedupe_key holds while it waits",
        killed="yes: after heartbeat_timeout (30 s)",
        note="pgqueuer/adapters/persistence/qb.py; docs/guides/heartbeat.md",
    )

    def prepare(self, place: Place) -> None:
        """Make the tables."""

        async def run() -> None:
            from pgqueuer import Queries

            await Queries(await _driver(place)).install()

        asyncio.run(run())

    def producer(self, place: Place) -> Producer:
        """Connect."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run the manager."""

        async def run() -> None:
            from pgqueuer import PgQueuer as Manager

            manager = Manager(await _driver(place))

            async def handler(job: Any) -> None:
                handle(job.payload)

            manager.entrypoint(_ENTRYPOINT)(handler)
            patience = timedelta(seconds=5 if place.impatient else 30)
            await manager.run(heartbeat_timeout=patience)

        asyncio.run(run())
