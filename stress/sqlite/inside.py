"""Looks at a store's file by connections that are not the store's."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw

TABLES = "select type, name, sql from sqlite_schema where sql is not null order by type, name"


def ask(path: str | Path, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    flags = apsw.SQLITE_OPEN_READONLY
    with contextlib.closing(apsw.Connection(str(path), flags=flags, vfs="unix")) as connection:
        connection.set_busy_timeout(60_000)
        return connection.execute(sql).fetchall()


def integrity(path: str | Path) -> str:
    """Return "ok", or what is wrong with the database."""
    try:
        return "; ".join(str(row[0]) for row in ask(path, "pragma integrity_check"))
    except apsw.Error as error:
        return str(error)


def version(path: str | Path) -> int:
    """Return the schema version that a file says it has."""
    ((found,),) = ask(path, "pragma user_version")
    assert isinstance(found, int)
    return found


def tables(path: str | Path) -> list[tuple[object, ...]]:
    """Return the statements that all tables and indexes were made with."""
    return ask(path, TABLES)
