"""The ends' part of the contract on SQLite."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ...engine.queue.verbs import QueueVerbs
from ...errors import InvalidInput, LimitExceeded, QueueFull, StoreCorrupt
from ...types.durable.ended import Asked, Ended
from ...types.messages.draft import Draft
from ...types.messages.receipt import Receipt
from ...types.transaction import Row
from ...waiting.ends import Waiting
from ..locks import ear_fifo, forks
from ..locks.ear_fifo import Ear
from ..rows import told as told_rows
from ..session import damage
from ..session.session import Session
from .ears import open_ear
from .look import look


@damage.tells
class SqliteEnds:
    """See fencepost.store.engine.durable.ends.EndVerbs; the methods stand in its order."""

    def __init__(self, session: Session, queue: QueueVerbs) -> None:
        self._session = session
        self._queue = queue
        self._ear: Ear | None = None
        self._opening = threading.Lock()
        self.waiting = Waiting(self)
        session.on_told = self._tell
        forks.watch(self)

    def listen(self, messages: Sequence[int]) -> None:
        ear = self._own_ear()
        with self._session.write("wait", joins=False) as write:
            told_rows.listen(write, ear.id, messages)

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        ear = self._own_ear()
        with self._session.write("enqueue", joins=False) as write:
            outcomes = self._queue.enqueue_each(drafts)
            stored = [each.message_id for each in outcomes if isinstance(each, Receipt)]
            told_rows.listen(write, ear.id, stored)
        return outcomes

    def look(self, asked: Sequence[Asked]) -> list[Ended | StoreCorrupt | None]:
        return look(self._session, asked)

    def hear(self, seconds: float) -> Collection[int]:
        self._session.check("wait")
        ear = self._ear
        if ear is None:
            raise InvalidInput("nobody listens", operation="wait", path=self._session.path)
        heard = ear.hear(seconds)
        self._session.check("wait")
        return heard

    def close(self) -> None:
        """Close the ear, after the session."""
        if self._ear is not None:
            self._ear.close()

    def prepare(self) -> None:
        """Nothing of this is ever half done."""

    resume = prepare

    def abandon(self) -> None:
        """Let go of the parent's ear, in a forked child."""
        if self._ear is not None:
            self._ear.abandon()
        self._opening = threading.Lock()
        self.waiting.forget()

    def _own_ear(self) -> Ear:
        with self._opening:
            if self._ear is None:
                made: list[Ear] = []
                try:
                    with self._session.write("wait", joins=False) as write:
                        made.append(open_ear(write))
                except BaseException:
                    for ear in made:
                        ear.close()
                    raise
                (self._ear,) = made
            return self._ear

    def _tell(self, told: Iterable[Row]) -> None:
        """Tell the ears, after a commit; of one whose process has died the sweep takes care."""
        by_ear: defaultdict[int, list[int]] = defaultdict(list)
        for ear, message in told:
            by_ear[ear].append(message)
        for ear, messages in by_ear.items():
            ear_fifo.tell(self._session.path, ear, messages)
