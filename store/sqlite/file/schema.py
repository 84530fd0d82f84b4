"""The schema version: created, migrated, or refused."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from importlib.resources import files

import apsw

from ...errors import SchemaUnsupported, StoreCorrupt

# "FPst": tells a store from any other SQLite file; sqlite.org/fileformat2.html 1.3.12.
APPLICATION_ID = 0x46507374

# MIGRATIONS[n] takes version n + 1 to n + 2. schema.sql is always the newest; a test
# holds the two against each other.
MIGRATIONS: tuple[str, ...] = ()


class ForeignDatabase(SchemaUnsupported):
    """It is another program's, and to be left alone."""


_OURS = """
select type, name, tbl_name, sql
from sqlite_schema
where name like 'fp\\_%' escape '\\' or tbl_name like 'fp\\_%' escape '\\'
order by name
"""


def is_current(connection: apsw.Connection, path: str) -> bool:
    """True when the file needs no write; False when it is new or of an older version.

    Raises:
        SchemaUnsupported: It is another program's, or newer.
        StoreCorrupt: Its tables are not the ones that its version says.
    """
    with _snapshot(connection):
        application, version, tables, ours = (
            connection.pragma("application_id"),
            connection.pragma("user_version"),
            connection.execute("select count(*) from sqlite_schema").get,
            connection.execute(_OURS).fetchall(),
        )
    newest = len(MIGRATIONS) + 1
    if application != APPLICATION_ID:
        if application or version or tables:
            raise ForeignDatabase(
                f"{path} is a SQLite database of another program",
                found=version,
                supported=newest,
                path=path,
            )
        return False
    if version > newest:
        raise SchemaUnsupported(
            f"{path} has schema version {version}; this Fencepost knows up to {newest}",
            found=version,
            supported=newest,
            path=path,
        )
    if version < 1:
        raise StoreCorrupt(
            f"{path} is a store of schema version {version}", operation="open", path=path
        )
    if version == newest:
        if ours != _expected():
            raise StoreCorrupt(
                f"the tables in {path} are not those of schema version {version}",
                operation="open",
                path=path,
            )
        return True
    return False


def bring_up_to_date(
    connection: apsw.Connection, path: str, migrations: Sequence[str] = MIGRATIONS
) -> None:
    """Create the tables, or take one migration after the other, each whole or not at all.

    The version is read again under the write lock: another process may have been first.
    """
    while step(connection, migrations) <= len(migrations):
        pass


def step(connection: apsw.Connection, migrations: Sequence[str]) -> int:
    """Create the tables, or take one migration; return the version that the file now has."""
    with whole(connection):
        version: int = connection.pragma("user_version")
        if version == 0:
            connection.execute(ddl())
            connection.pragma("application_id", APPLICATION_ID)
            version = len(migrations) + 1
        elif version <= len(migrations):
            connection.execute(migrations[version - 1])
            version += 1
        connection.pragma("user_version", version)
    return version


def ddl() -> str:
    """Return the statements that make the newest schema."""
    return files("fencepost.store.sqlite").joinpath("schema.sql").read_text()


@contextlib.contextmanager
def whole(connection: apsw.Connection) -> Iterator[None]:
    """Commit what the block does, or roll all of it back."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


@contextlib.contextmanager
def _snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Let all that the block reads be of one moment: others may create or migrate meanwhile."""
    connection.execute("begin")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("rollback")


@functools.cache
def _expected() -> list[tuple[object, ...]]:
    scratch = apsw.Connection(":memory:")
    try:
        scratch.execute(ddl())
        return scratch.execute(_OURS).fetchall()
    finally:
        scratch.close()
