"""The one place where tests look behind the store's front."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from fencepost import Store
from fencepost.store.sqlite.engine import SqliteEngine
from fencepost.store.sqlite.locks.gate import Gate
from fencepost.store.sqlite.session.session import Session


def session(store: Store) -> Session:
    """Return the session of an open store."""
    assert isinstance(store.engine, SqliteEngine)
    return store.engine._session


def connection(store: Store) -> apsw.Connection:
    """Return the connection that an open store writes with."""
    return session(store)._database.connection


def is_in_use(store: Store) -> bool:
    """True while a thread is inside the session, or waits there for the gate."""
    mutex = session(store)._database.mutex
    if not mutex.acquire(blocking=False):
        return True
    mutex.release()
    return False


def steps_of(store: Store, sql: str, parameters: dict[str, object]) -> list[str]:
    """Return the steps by which SQLite runs a statement."""
    rows = connection(store).execute(f"explain query plan {sql}", parameters).fetchall()
    return [str(row[3]) for row in rows]


@contextmanager
def traced(store: Store) -> Iterator[list[str]]:
    """Collect the statements that the store runs."""
    statements: list[str] = []

    def note(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        statements.append(" ".join(sql.split()))
        return True

    connection(store).exec_trace = note
    try:
        yield statements
    finally:
        connection(store).exec_trace = None


@contextmanager
def counted_steps(store: Store) -> Iterator[list[int]]:
    """Count the instructions that SQLite runs for the store, each ten of them as one."""
    steps = [0]

    def note() -> bool:
        steps[0] += 1
        return False

    connection(store).set_progress_handler(note, 10)
    try:
        yield steps
    finally:
        connection(store).set_progress_handler(None)


@contextmanager
def held_gate(path: str | Path) -> Iterator[Gate]:
    """Stand in the gate, as another process would: its lock belongs to this opening."""
    gate = Gate(f"{path}-gate")
    assert gate.enter(0.0)
    try:
        yield gate
    finally:
        gate.close()


def gate_is_free(path: str | Path) -> bool:
    """True when nobody stands in the gate."""
    gate = Gate(f"{path}-gate")
    try:
        return gate.enter(0.0)
    finally:
        gate.close()


def ask(
    path: str | Path, sql: str, *, flags: int = apsw.SQLITE_OPEN_READONLY
) -> list[tuple[object, ...]]:
    """Return the rows of a query by a connection of somebody else's."""
    other = apsw.Connection(str(path), flags=flags, vfs="unix")
    other.set_busy_timeout(60_000)
    try:
        return other.execute(sql).fetchall()
    finally:
        other.close()


def operations(path: str | Path, sql: str) -> set[str]:
    """Return what SQLite does for a statement, by the names of its instructions."""
    names = re.findall(r":(\w+)", sql)
    nothing: Any = dict.fromkeys(names) if names else [None] * sql.count("?")
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as other:
        return {row[1] for row in other.execute(f"explain {sql}", nothing)}
