"""What handlers remember, in memory: its parts."""

from __future__ import annotations

from .memory import Session
from .steps import PlainSteps
from .waits import PlainWaits


class PlainDurable:
    """See fencepost.store.engine.durable.DurableVerbs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.steps = PlainSteps(session)
        self.waits = PlainWaits(session)

    def counters(self) -> dict[str, int]:
        return dict(sorted(self._session.read("counters").counters.items()))
