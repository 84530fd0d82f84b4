"""What handlers remember, in memory: its parts."""

from __future__ import annotations

from ..memory import Session
from ..queues.joins.verbs import PlainJoins
from ..queues.verbs import PlainQueue
from .ends import PlainEnds
from .steps import PlainSteps
from .waits import PlainWaits


class PlainDurable:
    """See fencepost.store.engine.durable.verbs.DurableVerbs."""

    def __init__(self, session: Session, queue: PlainQueue) -> None:
        self._session = session
        self.steps = PlainSteps(session)
        self.waits = PlainWaits(session)
        self.joins = PlainJoins(session)
        self.ends = PlainEnds(session, queue)

    def counters(self) -> dict[str, int]:
        return dict(sorted(self._session.read("counters").counters.items()))
