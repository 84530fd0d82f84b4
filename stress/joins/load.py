"""What is enqueued for handlers that join, as a receiver does it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...store import Message, Store
from ...store.types.messages.draft import Address, Draft
from . import app
from .plan import TASKS, Plan


class Load:
    """Enqueues messages, and knows which have ended.

    Attributes:
        plans: By key, of what has been enqueued.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.plans: dict[str, Plan] = {}
        self._queues = {name: store.queue(name) for name in app.app.handlers}

    def enqueue(self, planned: Sequence[tuple[str, Plan]]) -> None:
        """Enqueue messages in one commit."""
        drafts = []
        for queue, plan in planned:
            key = f"{len(self.plans)}"
            self.plans[key] = plan
            drafts.append(
                Draft(app.SOURCE, app.SOURCE, key, queue, {}, plan.body, _addresses(queue, plan))
            )
        self._store.engine.queue.enqueue(drafts)

    def done(self) -> int:
        """Return how many have ended."""
        stats = [queue.stats() for queue in self._queues.values()]
        return sum(each.done + each.dead + each.cancelled for each in stats)

    def left(self, queue: str) -> int:
        """Return how many of a queue have not."""
        stats = self._queues[queue].stats()
        return stats.ready + stats.leased + stats.scheduled


def _addresses(queue: str, plan: Plan) -> list[Address]:
    if queue == TASKS:
        return [Address(queue, lane=plan.key)]
    message = Message(0, app.SOURCE, None, queue, {}, plan.body, time.time())
    return app.app.addresses(message)
