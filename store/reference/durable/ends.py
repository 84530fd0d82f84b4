"""The ends' part of the contract, in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence

from ...errors import LimitExceeded, QueueFull, StoreCorrupt
from ...types.durable.ended import Asked, Ended
from ...types.messages.draft import Draft
from ...types.messages.receipt import Receipt
from ...waiting.ends import Waiting
from ..memory import Session
from ..queues.verbs import PlainQueue
from ..rows import GOING
from ..tables import Tables


class PlainEnds:
    """See fencepost.store.engine.durable.ends.EndVerbs; the methods stand in its order."""

    def __init__(self, session: Session, queue: PlainQueue) -> None:
        self._session = session
        self._queue = queue
        self._told = threading.Condition()
        self._messages: set[int] = set()  # listened for
        self._heard: set[int] = set()
        self.waiting = Waiting(self)
        session.on_ended = self._tell

    def listen(self, messages: Sequence[int]) -> None:
        with self._session.write("wait", joins=False) as write:
            going = {row.message for row in write.tables.deliveries.values() if row.state in GOING}
            with self._told:
                self._messages |= going & set(messages)

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        with self._session.write("enqueue", joins=False):
            outcomes = self._queue.enqueue_each(drafts)
            with self._told:
                stored = [each for each in outcomes if isinstance(each, Receipt)]
                self._messages |= {each.message_id for each in stored}
        return outcomes

    def look(self, asked: Sequence[Asked]) -> list[Ended | StoreCorrupt | None]:
        tables = self._session.read("wait")
        return [_ended(tables, each) for each in asked]

    def hear(self, seconds: float) -> Collection[int]:
        with self._told:
            self._session.check("wait")
            if not self._heard:
                self._told.wait(seconds)
            self._session.check("wait")
            heard, self._heard = self._heard, set()
            return heard

    def close(self) -> None:
        """Let the thread that hears return, after the session was closed."""
        with self._told:
            self._told.notify_all()

    def _tell(self, ended: set[int]) -> None:
        with self._told:
            if mine := ended & self._messages:
                self._heard |= mine
                self._told.notify_all()
            over = {id for id in mine if self._over(id)}
            self._messages -= over

    def _over(self, message: int) -> bool:
        rows = self._session.memory.tables.of_message(message)
        return not any(row.state in GOING for row in rows)


def _ended(tables: Tables, asked: Asked) -> Ended | None:
    if asked.message not in tables.messages:
        return Ended("forgotten")
    rows = [
        row
        for row in tables.of_message(asked.message)
        if asked.queue in (None, row.origin or row.queue)
    ]
    route = tables.messages[asked.message].route
    if asked.queue is None and route != "routed":
        return None
    if asked.queue is None and not rows:
        return Ended("cancelled")  # it was kept for a route that was off, and discarded
    if not rows or any(row.state in GOING for row in rows):
        return None
    for row in rows:
        if row.state == "dead":
            return Ended("dead", None, row.error)
    if any(row.state == "cancelled" for row in rows):
        return Ended("cancelled")
    result = rows[0].result
    return Ended("done", None if result is None else json.loads(result))
