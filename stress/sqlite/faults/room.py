"""Faults in what keeps the files small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....store.clock import SystemClock
from ....store.engine import Hold, Leased
from ....store.engine.driver import OpenOptions
from ....store.sqlite.engine import SqliteEngine
from ....store.sqlite.file import checkpoint, space
from ....store.sqlite.file.checkpoint import Checkpointer
from ....store.sqlite.queue_verbs import SqliteQueue
from ....store.sqlite.upkeep.upkeep import SqliteUpkeep
from ...harness.faults import fault

_kept: list[object] = []


@fault("no commit is followed by a checkpoint")
def no_checkpoints() -> None:
    def run_when_due(self: Checkpointer) -> None:
        pass

    Checkpointer.run_when_due = run_when_due  # type: ignore[method-assign]


@fault("upkeep does not check the size of the WAL")
def alarm_silenced() -> None:
    def _check_wal(self: SqliteUpkeep) -> tuple[str, ...]:
        return ()

    SqliteUpkeep._check_wal = _check_wal  # type: ignore[method-assign]


@fault("a checkpoint waits 40 times as long for readers, and all writers wait with it")
def too_patient() -> None:
    checkpoint._STALL_MS = (
        1600  # more than sqlite/scenarios/wal.py allows any disk that is not very slow
    )


@fault("no room on the disk is reserved for finishing what is stored")
def keeps_no_room() -> None:
    def is_short(path: str, grows: int, pending: int) -> bool:
        return False

    def load_ballast(path: str) -> bool:
        return False

    space.is_short, space.load_ballast = is_short, load_ballast


@fault("each claim leaves a connection open")
def connection_each() -> None:
    was = SqliteQueue.claim

    def claim(
        self: SqliteQueue, queues: Sequence[str], **options: Any
    ) -> tuple[list[Leased], list[Hold]]:
        opened_so = OpenOptions(SystemClock(), 5.0, "full", create=False)
        _kept.append(SqliteEngine(self._session.path, opened_so))
        return was(self, queues, **options)

    SqliteQueue.claim = claim  # type: ignore[method-assign]
