"""What operators see and change, in plain Python: each verb is one transaction or one read."""

from __future__ import annotations

from collections.abc import Sequence

from ...types.delivery import Content, Delivery, Forget, Outcome, Stored
from ...types.filter import Filter
from ...types.queue_stats import QueueStats
from ..memory import Session
from ..pools.verbs import PlainPools
from ..queues import due, reap
from . import listing, move, operate
from .routes import PlainRoutes
from .routing import PlainRouting


class PlainOperators:
    """See fencepost.store.engine.operators.verbs.OperatorVerbs; the methods stand in its order."""

    def __init__(self, session: Session, pools: PlainPools) -> None:
        self._session = session
        self.routing = PlainRouting(session, pools)
        self.routes = PlainRoutes(session)

    def stats(self) -> dict[str, QueueStats]:
        return listing.stats(self._session.read(), self._session.now_ms())

    def deliveries(self, wanted: Filter, limit: int, before: int | None) -> list[Delivery]:
        now = self._session.now_ms()
        return listing.deliveries(self._session.read(), wanted, limit, before, now)

    def delivery(self, id: int) -> Delivery | None:
        return listing.delivery(self._session.read(), id)

    def content(self, id: int) -> Content | None:
        return listing.content(self._session.read(), id)

    def message(self, id: int) -> Stored | None:
        return listing.message(self._session.read(), id)

    def replay(self, ids: Sequence[int], *, forget: Forget = None) -> list[Outcome]:
        with self._session.write("replay") as write:
            return [operate.replay(write, id, forget) for id in ids]

    def cancel(self, ids: Sequence[int]) -> list[Outcome]:
        with self._session.write("cancel") as write:
            return [operate.cancel(write, id) for id in ids]

    def move(self, ids: Sequence[int], queue: str) -> list[Outcome]:
        with self._session.write("move") as write:
            reap.reap_expired(write)
            due.promote_due(write)
            return [move.move(write, id, queue) for id in ids]

    def pause(self, queue: str, paused: bool) -> bool:
        with self._session.write("pause") as write:
            return operate.pause(write, queue, paused)

    def limit(self, queue: str, most: int | None) -> bool:
        with self._session.write("limit") as write:
            return operate.limit(write, queue, most)
