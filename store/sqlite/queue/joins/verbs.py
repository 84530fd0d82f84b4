"""The joins' part of the contract on SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from ....engine.durable.joins import Apart
from ....engine.queue.claims import Hold
from ...file.space import again_when_full
from ...session import damage
from ...session.session import Session
from .apart import settle_apart


@damage.tells
class SqliteJoins:
    """See fencepost.store.engine.durable.joins.JoinVerbs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @again_when_full
    def settle(self, hold: Hold, apart: Sequence[Apart], result: str | None) -> None:
        with self._session.write("settle") as write:
            settle_apart(write, hold, apart, result)
