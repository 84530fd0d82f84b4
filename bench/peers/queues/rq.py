"""rq on Redis: its worker, which forks for each job, and its SimpleWorker, which does not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import Promises, Queue
from ..services import redis_setting


def _queue(place: Place) -> Any:
    from redis import Redis
    from rq import Queue as RqQueue

    return RqQueue("bench", connection=Redis.from_url(place.url))


class Producer:
    """One connection."""

    def __init__(self, place: Place) -> None:
        self.queue = _queue(place)

    def put(self, number: int, body: bytes) -> object:
        """Enqueue a call, without keeping its result."""
        return self.queue.enqueue(handle, body, result_ttl=0)

    def put_many(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> object:
        """Enqueue in one pipeline."""
        prepared = [self.queue.prepare_data(handle, (body,), result_ttl=0) for body in bodies]
        return self.queue.enqueue_many(prepared)

    def setting(self) -> str:
        """Ask the server."""
        return redis_setting(self.queue.connection)


class Rq(Queue):
    """Its Worker."""

    name = "rq"
    package = "rq"
    durabilities: ClassVar[dict[str, str]] = {"snapshot": "not survived", "full": "survived"}
    service = "redis"
    messages = (1_500, 200)
    bulk = True
    worker: ClassVar[str] = "Worker"
    promises = Promises(
        fenced="no: a job is finished by its id",
        deduped="while the job is kept, with unique=True",
        killed="by hand: goes to the failed jobs when its time is up",
        note="rq/registry.py, StartedJobRegistry.cleanup",
    )

    def producer(self, place: Place) -> Producer:
        """Connect."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run the worker."""
        import rq

        queue = _queue(place)
        getattr(rq, self.worker)([queue], connection=queue.connection).work(logging_level="ERROR")

    def recover(self, place: Place) -> None:
        """Let the time of the started jobs be up, and requeue the failed ones."""
        queue = _queue(place)
        queue.started_job_registry.cleanup(timestamp=time.time() + 86_400)
        for job in queue.failed_job_registry.get_job_ids():
            queue.failed_job_registry.requeue(job)


class RqSimple(Rq):
    """Its SimpleWorker."""

    name = "rq, SimpleWorker"
    durabilities: ClassVar[dict[str, str]] = {"snapshot": "not survived"}
    messages = (1_500, 800)
    worker = "SimpleWorker"
