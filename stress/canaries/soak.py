"""Things that grow without end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...store.clock import SystemClock
from ...store.engine import Hold, Leased
from ...store.engine.scheme import OpenOptions
from ...store.sqlite.engine import SqliteEngine
from ...store.sqlite.queue_verbs import SqliteQueue
from ..harness.canary import Canary

_kept: list[object] = []


def _a_connection_each() -> None:
    was = SqliteQueue.claim

    def claim(
        self: SqliteQueue, queues: Sequence[str], **options: Any
    ) -> tuple[list[Leased], list[Hold]]:
        opened_so = OpenOptions(SystemClock(), 5.0, "full", create=False)
        _kept.append(SqliteEngine(self._session.path, opened_so))
        return was(self, queues, **options)

    SqliteQueue.claim = claim  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "connection-each",
        "each claim leaves a connection open",
        scenario="soak",
        trips="bounded",
        plant=_a_connection_each,
    ),
)
