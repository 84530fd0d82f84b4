"""Things that grow without end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...store.engine import Hold, Leased
from ...store.sqlite.engine import SqliteEngine
from ..harness.canary import Canary

_kept: list[object] = []


def _a_connection_each() -> None:
    was = SqliteEngine.claim

    def claim(
        self: SqliteEngine, queues: Sequence[str], **options: Any
    ) -> tuple[list[Leased], list[Hold]]:
        _kept.append(self.twin())
        return was(self, queues, **options)

    SqliteEngine.claim = claim  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "connection-each",
        "each claim leaves a connection open",
        scenario="soak",
        trips="bounded",
        plant=_a_connection_each,
    ),
)
