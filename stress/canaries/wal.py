"""Faults in how the WAL is kept small."""

from __future__ import annotations

from ...store.sqlite.file import checkpoint
from ...store.sqlite.file.checkpoint import Checkpointer
from ...store.sqlite.upkeep.upkeep import SqliteUpkeep
from ..harness.canary import Canary


def _never() -> None:
    def run_when_due(self: Checkpointer) -> None:
        pass

    Checkpointer.run_when_due = run_when_due  # type: ignore[method-assign]


def _silent() -> None:
    def _check_wal(self: SqliteUpkeep) -> tuple[str, ...]:
        return ()

    SqliteUpkeep._check_wal = _check_wal  # type: ignore[method-assign]


def _too_patient() -> None:
    checkpoint._STALL_MS = 1600  # more than scenarios/wal.py allows any disk that is not very slow


CANARIES = (
    Canary(
        "no-checkpoints",
        "no commit is followed by a checkpoint",
        scenario="wal",
        trips="wal-bounded",
        plant=_never,
    ),
    Canary(
        "alarm-silenced",
        "upkeep does not look at the WAL",
        scenario="wal",
        trips="alarm-raised",
        plant=_silent,
    ),
    Canary(
        "too-patient",
        "a checkpoint waits 40 times as long for readers, and all writers with it",
        scenario="wal",
        trips="waits-bounded",
        plant=_too_patient,
    ),
)
