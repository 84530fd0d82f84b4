"""procrastinate on PostgreSQL: deferred jobs, and a worker in each process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import Promises, Queue
from ..services import postgres_setting


def _handle(body: str) -> None:
    handle(body)


def _app(connector: Any) -> tuple[Any, Any]:
    from procrastinate import App

    app = App(connector=connector)
    return app, app.task(name="handle")(_handle)


def _sync(place: Place) -> tuple[Any, Any]:
    from procrastinate import SyncPsycopgConnector

    app, task = _app(SyncPsycopgConnector(conninfo=place.url))
    app.open()
    return app, task


class Producer:
    """An app of the blocking connector."""

    def __init__(self, place: Place) -> None:
        self.url = place.url
        self.app, self.task = _sync(place)

    def put(self, number: int, body: bytes) -> object:
        """Defer a job; its arguments are JSON."""
        return self.task.defer(body=body.decode())

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> object:
        """Defer in one statement."""
        return self.task.batch_defer(*({"body": body.decode()} for body in bodies))

    def setting(self) -> str:
        """Ask the server."""
        return postgres_setting(self.url)


class Procrastinate(Queue):
    """As it comes."""

    name = "procrastinate"
    package = "procrastinate"
    durabilities: ClassVar[dict[str, str]] = {"full": "survived"}
    service = "postgres"
    messages = (1_000, 1_000)
    bulk = True
    promises = Promises(
        fenced="no: a job is finished by its id",
        deduped="no: queueing_lock holds while it waits",
        killed="by hand: retry what get_stalled_jobs() lists",
        note="procrastinate/sql/schema.sql; howto/production/retry_stalled_jobs",
    )

    def prepare(self, place: Place) -> None:
        """Make the tables."""
        app, _task = _sync(place)
        app.schema_manager.apply_schema()
        app.close()

    def producer(self, place: Place) -> Producer:
        """Connect."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run the worker."""
        from procrastinate import PsycopgConnector

        app, _task = _app(PsycopgConnector(conninfo=place.url))
        app.run_worker()

    def recover(self, place: Place) -> None:
        """Retry the stalled jobs, as its guide does, without its 30 s of patience."""
        import asyncio

        from procrastinate import PsycopgConnector

        async def run() -> None:
            app, _task = _app(PsycopgConnector(conninfo=place.url))
            async with app.open_async():
                stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=0.1)
                for job in stalled:
                    await app.job_manager.retry_job(job)

        asyncio.run(run())
