"""Faults in what is on the disk when a call returns, and in what is said of errors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ....app import Context
from ....store.errors import OutcomeUnknown, StoreFailed
from ....store.sqlite.engine import SqliteEngine
from ....store.sqlite.rows import counters as counter_rows
from ....store.sqlite.session import faults, opening
from ....store.sqlite.session.transactions import Block
from ...harness.faults import fault


def _synchronous(level: int) -> None:
    was = opening.connect

    def connect(*args: Any, **options: Any) -> Any:
        connection = was(*args, **options)
        connection.pragma("synchronous", level)
        return connection

    opening.connect = connect


@fault("commits are not synced")
def commits_not_synced() -> None:
    _synchronous(1)


@fault("neither commits nor checkpoints are synced")
def nothing_synced() -> None:
    _synchronous(0)


@fault("a COMMIT that raised is reported as one that changed nothing")
def commit_plain() -> None:
    was = Block._commit

    def _commit(self: Block) -> None:
        try:
            was(self)
        except OutcomeUnknown as error:
            raise StoreFailed(str(error)) from error

    Block._commit = _commit  # type: ignore[method-assign]


@fault("a COMMIT that raised is reported as done")
def commit_ignored() -> None:
    was = Block._commit

    def _commit(self: Block) -> None:
        with suppress(OutcomeUnknown):
            was(self)

    Block._commit = _commit  # type: ignore[method-assign]


@fault("what a handler counts is written before its delivery is done")
def leaky_count() -> None:
    def count(self: Context, name: str, by: int = 1) -> None:
        engine = self.store.engine
        assert isinstance(engine, SqliteEngine)
        with engine._session.write("count") as write:
            counter_rows.add(write, [{name: by}])

    Context.count = count  # type: ignore[method-assign]


@fault("SQLite's own errors reach the caller untranslated")
def untyped() -> None:
    def translate(error: Exception, *args: Any) -> Exception:
        return error

    vars(faults)["translate"] = translate


@fault("a store with checksums writes pages without")
def without_checksums() -> None:
    was = opening.open_database

    def open_database(*args: Any, checksums: bool, **options: Any) -> opening.Opened:
        return was(*args, **options)

    opening.open_database = open_database  # type: ignore[assignment]
