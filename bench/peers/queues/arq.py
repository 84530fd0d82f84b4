"""arq on Redis: jobs enqueued through its pool, and its worker in each process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from ..handler import handle
from ..place import Place
from ..queue import OneByOne, Promises, Queue
from ..services import redis_setting

T = TypeVar("T")


async def _handle(ctx: object, body: bytes) -> None:
    handle(body)


class Producer(OneByOne):
    """One pool and the loop that drives it."""

    def __init__(self, place: Place) -> None:
        self.url = place.url
        self.loop = asyncio.new_event_loop()
        self.pool = self._run(self._open(place))

    async def _open(self, place: Place) -> Any:
        from arq import create_pool
        from arq.connections import RedisSettings

        return await create_pool(RedisSettings.from_dsn(place.url))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def put(self, number: int, body: bytes) -> object:
        """Enqueue one."""
        return self._run(self.pool.enqueue_job("_handle", body))

    def setting(self) -> str:
        """Ask the server."""
        from redis import Redis

        return redis_setting(Redis.from_url(self.url))


class Arq(Queue):
    """As it comes, without keeping results."""

    name = "arq"
    package = "arq"
    durabilities: ClassVar[dict[str, str]] = {"snapshot": "not survived", "full": "survived"}
    service = "redis"
    messages = (1_000, 500)
    promises = Promises(
        fenced="no: a job is finished by its id",
        deduped="while its result is kept, by job id",
        killed="yes: after job_timeout (300 s) and 10 s",
        note="arq/worker.py, start_jobs",
    )

    def producer(self, place: Place) -> Producer:
        """Connect."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run the worker."""
        from arq.connections import RedisSettings
        from arq.worker import Worker

        settings = RedisSettings.from_dsn(place.url)
        patience = 5 if place.impatient else 300
        Worker([_handle], redis_settings=settings, keep_result=0, job_timeout=patience).run()
