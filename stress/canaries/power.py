"""Faults in what is on the disk when a call returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...store.engine import Hold
from ...store.sqlite.queue_verbs import SqliteQueue
from ...store.sqlite.session import opening
from ...store.sqlite.session.write import Write
from ..harness.canary import Canary


def _synchronous(level: int) -> None:
    was = opening.connect

    def connect(*args: Any, **options: Any) -> Any:
        connection = was(*args, **options)
        connection.pragma("synchronous", level)
        return connection

    opening.connect = connect


def _ack_apart() -> None:
    @contextmanager
    def completion(self: SqliteQueue, hold: Hold) -> Iterator[Write]:
        with self._session.write("transaction", joins=False, nests=True) as write:
            yield write
        self.ack(hold, None)

    SqliteQueue.completion = completion  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "normal-loses",
        "commits are not synced",
        scenario="power",
        trips="nothing-lost",
        plant=lambda: _synchronous(1),
    ),
    Canary(
        "normal-repeats-fences",
        "commits that give out fences are not synced",
        scenario="power",
        trips="fences-rise",
        plant=lambda: _synchronous(1),
    ),
    Canary(
        "nothing-synced",
        "checkpoints are not synced either",
        scenario="power",
        trips="integrity",
        plant=lambda: _synchronous(0),
    ),
    Canary(
        "ack-apart",
        "the ack is in another transaction than the effect",
        scenario="power",
        trips="effects-once",
        plant=_ack_apart,
    ),
)
