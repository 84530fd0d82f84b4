"""The operators' part of the contract on SQLite: one transaction or one read per verb."""

from __future__ import annotations

from collections.abc import Sequence

from ..types.delivery import Content, Delivery, Forget, Outcome, Stored
from ..types.filter import Filter
from ..types.queue_stats import QueueStats
from .file.space import again_when_full, again_when_refused
from .operators import counts, listing, move, operate
from .operators.routes import SqliteRoutes
from .operators.routing import SqliteRouting
from .pools.register import SqlitePools
from .queue import counters, due, reap
from .session.damage import tells
from .session.session import Session


@tells
class SqliteOperators:
    """See fencepost.store.engine.operators.verbs.OperatorVerbs; the methods stand in its order."""

    def __init__(self, session: Session, pools: SqlitePools) -> None:
        self._session = session
        self.routing = SqliteRouting(session, pools)
        self.routes = SqliteRoutes(session)

    def stats(self) -> dict[str, QueueStats]:
        return counts.stats(self._session)

    def deliveries(self, wanted: Filter, limit: int, before: int | None) -> list[Delivery]:
        return listing.deliveries(self._session, wanted, limit, before)

    def delivery(self, id: int) -> Delivery | None:
        return listing.delivery(self._session, id)

    def content(self, id: int) -> Content | None:
        return listing.content(self._session, id)

    def message(self, id: int) -> Stored | None:
        return listing.message(self._session, id)

    @again_when_refused
    def replay(self, ids: Sequence[int], *, forget: Forget = None) -> list[Outcome]:
        with self._session.write("replay") as write:
            return [operate.replay(write, id, forget) for id in ids]

    @again_when_full
    def cancel(self, ids: Sequence[int]) -> list[Outcome]:
        with self._session.write("cancel") as write:
            return [operate.cancel(write, id) for id in ids]

    @again_when_full
    def move(self, ids: Sequence[int], queue: str) -> list[Outcome]:
        with self._session.write("move") as write:
            reap.reap_expired(write)
            due.promote_due(write)
            return [move.move(write, id, queue) for id in ids]

    @again_when_full
    def pause(self, queue: str, paused: bool) -> bool:
        with self._session.write("pause") as write:
            return counters.pause(write, queue, paused)

    @again_when_full
    def limit(self, queue: str, most: int | None) -> bool:
        with self._session.write("limit") as write:
            return counters.limit(write, queue, most)
