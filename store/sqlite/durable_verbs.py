"""What handlers remember, on SQLite: its parts."""

from __future__ import annotations

from ..engine.queue.verbs import QueueVerbs
from .ends.verbs import SqliteEnds
from .queue.joins.verbs import SqliteJoins
from .rows import counters as counter_rows
from .session.damage import tells
from .session.session import Session
from .steps.verbs import SqliteSteps
from .waits.verbs import SqliteWaits


@tells
class SqliteDurable:
    """See fencepost.store.engine.durable.verbs.DurableVerbs."""

    def __init__(self, session: Session, queue: QueueVerbs) -> None:
        self._session = session
        self.steps = SqliteSteps(session)
        self.waits = SqliteWaits(session)
        self.joins = SqliteJoins(session)
        self.ends = SqliteEnds(session, queue)

    def counters(self) -> dict[str, int]:
        return counter_rows.sums(self._session)
