"""What handlers remember, on SQLite: its parts."""

from __future__ import annotations

from .session.session import Session
from .steps.verbs import SqliteSteps
from .waits.verbs import SqliteWaits


class SqliteDurable:
    """See fencepost.store.engine.durable.DurableVerbs."""

    def __init__(self, session: Session) -> None:
        self.steps = SqliteSteps(session)
        self.waits = SqliteWaits(session)
