"""Migration by hand, or tried on a copy."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

import apsw

from ...engine.upkeep import Migration
from ...errors import SchemaUnsupported, StoreBusy, StoreCorrupt
from ..file import checksums, paths, schema
from ..locks import lock_holders
from ..locks.gate import Gate
from ..session import opening, wal_owner
from ..session.faults import translate
from ..session.readers import copy
from .private_copy import private_copy

_PATIENCE_SECONDS = 10.0


def migrate(path: str, *, dry_run: bool) -> Migration:
    """Take each step in its own transaction; a dry run takes them on a private copy.

    Raises:
        SchemaUnsupported: It is another program's, or newer; it is untouched.
        StoreCorrupt: A step does not give the tables that it should.
    """
    path = paths.locate(path)
    paths.require(path, create=False)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with closing(Gate(path + "-gate")) as gate:
        if not gate.enter(deadline):
            raise StoreBusy(
                operation="migrate",
                path=path,
                waited=_PATIENCE_SECONDS,
                holders=lock_holders.writers(path),
            )
        try:
            wal_owner.look(path, gate)
            return _migrate(path, gate, deadline, dry_run=dry_run)
        except (SchemaUnsupported, StoreCorrupt):
            gate.remove_if_made()
            raise
        except apsw.Error as error:
            raise translate(error, "migrate", path) from error


def _migrate(path: str, gate: Gate, deadline: float, *, dry_run: bool) -> Migration:
    with closing(
        opening.connect(path, durability="full", deadline=deadline, gate=gate)
    ) as connection:
        found: int = connection.pragma("user_version")
        if schema.is_current(connection, path):
            return Migration(path, found, found, ())
        if not dry_run:
            return _steps(connection, path, found)
        with private_copy(
            partial(copy, connection), path, "migrate", checksums=checksums.has(connection)
        ) as (_, other):
            return _steps(other, path, found)


def _steps(connection: apsw.Connection, path: str, found: int) -> Migration:
    versions: list[int] = []
    while not versions or versions[-1] <= len(schema.MIGRATIONS):
        versions.append(schema.step(connection, schema.MIGRATIONS))
    if (
        not schema.is_current(connection, path)
        or connection.execute("pragma foreign_key_check").fetchone()
    ):
        raise StoreCorrupt(
            f"{path}: the schema after the migration is not that of version {versions[-1]}",
            operation="migrate",
            path=path,
        )
    return Migration(path, found, versions[-1], tuple(versions))
