"""dramatiq on Redis: messages sent, and its worker with eight threads in each process."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from ..handler import handle
from ..place import Place
from ..queue import OneByOne, Promises, Queue
from ..services import redis_setting


def _handle(body: str) -> None:
    handle(body)


def _open(place: Place) -> tuple[Any, Any]:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    sooner = {"heartbeat_timeout": 5_000, "maintenance_chance": 1_000_000}
    broker = RedisBroker(url=place.url, **(sooner if place.impatient else {}))
    dramatiq.set_broker(broker)
    return broker, dramatiq.actor(_handle, actor_name="handle")


class Producer(OneByOne):
    """One broker."""

    def __init__(self, place: Place) -> None:
        self.broker, self.actor = _open(place)

    def put(self, number: int, body: bytes) -> object:
        """Send; arguments are JSON."""
        return self.actor.send(body.decode())

    def setting(self) -> str:
        """Ask the server."""
        return redis_setting(self.broker.client)


class Dramatiq(Queue):
    """As it comes."""

    name = "dramatiq"
    package = "dramatiq"
    durabilities: ClassVar[dict[str, str]] = {"snapshot": "not survived", "full": "survived"}
    service = "redis"
    messages = (2_000, 4_000)
    promises = Promises(
        fenced="by worker: only what is in its own set is acked",
        deduped="no",
        killed="yes: after heartbeat_timeout (60 s) and some 1,000 commands",
        note="dramatiq/brokers/redis/dispatch.lua",
    )

    def producer(self, place: Place) -> Producer:
        """Connect."""
        return Producer(place)

    def work(self, place: Place) -> None:
        """Run the worker."""
        from dramatiq import Worker

        broker, _actor = _open(place)
        Worker(broker, worker_threads=8).start()
        threading.Event().wait()
