"""Faults in how a store is created, opened and migrated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ....store.engine.upkeep import Migration
from ....store.errors import SchemaUnsupported
from ....store.sqlite.file import schema
from ....store.sqlite.locks.gate import Gate
from ....store.sqlite.session import opening
from ....store.sqlite.whole_file import migration
from ...harness.faults import fault


@fault("a process that finds another one opening the store gives up at once")
def opens_without_patience() -> None:
    was = opening.open_database

    def open_database(*args: Any, patience: float, **options: Any) -> opening.Opened:
        return was(*args, patience=0.0, **options)

    opening.open_database = open_database


@fault("tables are created and migrated without a transaction")
def schema_in_pieces() -> None:
    @contextlib.contextmanager
    def whole(connection: object) -> Iterator[None]:
        yield

    schema.whole = whole


@fault("a store of a newer version is opened as if it were known")
def takes_newer() -> None:
    was = schema.is_current

    def is_current(connection: Any, path: str) -> bool:
        try:
            return was(connection, path)
        except SchemaUnsupported as error:
            if error.found > error.supported:
                return True
            raise

    schema.is_current = is_current


@fault("a dry run migrates the store itself")
def dry_run_migrates() -> None:
    was = migration._migrate

    def migrate(path: str, gate: Gate, deadline: float, *, dry_run: bool) -> Migration:
        return was(path, gate, deadline, dry_run=False)

    migration._migrate = migrate


@fault("a migration loses a message")
def migration_forgets() -> None:
    was = schema.step

    def step(connection: Any, migrations: Any) -> int:
        version = was(connection, migrations)
        connection.execute("delete from fp_body where message_id = 40")
        connection.execute("delete from fp_delivery where message_id = 40")
        connection.execute("delete from fp_message where id = 40")
        return version

    schema.step = step
