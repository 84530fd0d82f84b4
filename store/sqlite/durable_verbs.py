"""What handlers remember, on SQLite: its parts."""

from __future__ import annotations

from . import counter_rows
from .session.damage import tells
from .session.session import Session
from .steps.verbs import SqliteSteps
from .waits.verbs import SqliteWaits


@tells
class SqliteDurable:
    """See fencepost.store.engine.durable.DurableVerbs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.steps = SqliteSteps(session)
        self.waits = SqliteWaits(session)

    def counters(self) -> dict[str, int]:
        return counter_rows.sums(self._session)
