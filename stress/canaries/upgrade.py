"""Faults in how schema versions are told and migrated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ...store.engine.upkeep import Migration
from ...store.errors import SchemaUnsupported
from ...store.sqlite.file import schema
from ...store.sqlite.locks.gate import Gate
from ...store.sqlite.whole_file import migration
from ..harness.canary import Canary


def _no_transaction() -> None:
    @contextlib.contextmanager
    def whole(connection: object) -> Iterator[None]:
        yield

    schema.whole = whole


def _takes_newer() -> None:
    was = schema.is_current

    def is_current(connection: Any, path: str) -> bool:
        try:
            return was(connection, path)
        except SchemaUnsupported as error:
            if error.found > error.supported:
                return True
            raise

    schema.is_current = is_current


def _no_dry_run() -> None:
    was = migration._migrate

    def migrate(path: str, gate: Gate, deadline: float, *, dry_run: bool) -> Migration:
        return was(path, gate, deadline, dry_run=False)

    migration._migrate = migrate


def _forgets_rows() -> None:
    was = schema.step

    def step(connection: Any, migrations: Any) -> int:
        version = was(connection, migrations)
        connection.execute("delete from fp_body where message_id = 40")
        connection.execute("delete from fp_delivery where message_id = 40")
        connection.execute("delete from fp_message where id = 40")
        return version

    schema.step = step


CANARIES = (
    Canary(
        "migrates-in-pieces",
        "the steps of a migration are taken without a transaction",
        scenario="upgrade",
        trips="integrity",
        plant=_no_transaction,
    ),
    Canary(
        "takes-newer",
        "a store of a newer version is opened as if it were known",
        scenario="upgrade",
        trips="left-as-it-was",
        plant=_takes_newer,
    ),
    Canary(
        "dry-run-migrates",
        "a dry run takes its steps on the store itself",
        scenario="upgrade",
        trips="left-as-it-was",
        plant=_no_dry_run,
    ),
    Canary(
        "migration-forgets",
        "a migration leaves a message behind",
        scenario="upgrade",
        trips="nothing-lost",
        plant=_forgets_rows,
    ),
)
