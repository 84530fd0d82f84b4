"""Files that are not a store of this version: refused, and left byte for byte as they were."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from fencepost import FencepostError, SchemaUnsupported, StoreCorrupt, StoreOpenFailed, connect
from fencepost.store.sqlite.file import schema
from fencepost.store.sqlite.session import settings


@contextmanager
def _untouched(path: Path, refused_as: type[FencepostError]) -> Iterator[None]:
    path.chmod(0o644)
    before = path.read_bytes()
    gate = path.with_name(path.name + "-gate")
    gate_before = gate.read_bytes() if gate.exists() else None
    with pytest.raises(refused_as) as caught:
        yield
    assert caught.value.code == refused_as.code
    assert caught.value.operation == "open"
    assert caught.value.path == str(path)
    assert path.read_bytes() == before
    assert (gate.read_bytes() if gate.exists() else None) == gate_before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def _run(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql).fetchall()
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def ours(path: Path) -> Path:
    with connect(path) as store:
        store.queue("mail").enqueue(b"hello", key="k")
    return path


def test_a_text_file_is_corrupt(path: Path) -> None:
    path.write_bytes(b"not a database\n" * 700)

    with _untouched(path, StoreCorrupt):
        connect(path)


# SCHEMA-2, S12
@pytest.mark.parametrize(
    "sql",
    [
        "create table t (a)",
        "pragma application_id = 7",
        "pragma user_version = 1",
        "pragma journal_mode = wal; create table t (a)",
        "create table fp_store (one)",
    ],
)
def test_a_database_of_another_program_is_unsupported(path: Path, sql: str) -> None:
    _run(path, sql)

    with _untouched(path, SchemaUnsupported):
        connect(path)


def test_a_wal_that_another_program_left_behind_is_not_folded_into_its_database(
    path: Path,
) -> None:
    """The -shm is an index of the -wal that SQLite makes anew at every first opening."""
    living = path.with_name("living.db")
    owner = apsw.Connection(str(living))
    owner.pragma("journal_mode", "wal")
    owner.execute("create table t (a); insert into t values (1)")
    for suffix in ("", "-wal", "-shm"):  # as its owner's crash would leave them
        shutil.copy(f"{living}{suffix}", f"{path}{suffix}")
    owner.close()
    living.unlink()
    wal = Path(f"{path}-wal").read_bytes()

    with _untouched(path, SchemaUnsupported):
        connect(path)

    assert wal
    assert Path(f"{path}-wal").read_bytes() == wal
    assert sorted(os.listdir(path.parent)) == ["store.db", "store.db-shm", "store.db-wal"]


# SCHEMA-1, KV-11
def test_a_newer_schema_is_unsupported_and_both_versions_are_told(ours: Path) -> None:
    newest = len(schema.MIGRATIONS) + 1
    _run(ours, f"pragma user_version = {newest + 1}")

    with _untouched(ours, SchemaUnsupported):
        connect(ours)
    with pytest.raises(SchemaUnsupported) as caught:
        connect(ours)
    assert (caught.value.found, caught.value.supported) == (newest + 1, newest)


@pytest.mark.parametrize("version", [0, -1])
def test_a_store_of_no_version_is_corrupt(ours: Path, version: int) -> None:
    _run(ours, f"pragma user_version = {version}")

    with _untouched(ours, StoreCorrupt):
        connect(ours)


# S12, P28
@pytest.mark.parametrize(
    "sql",
    [
        "alter table fp_message add column extra text",
        "drop index fp_message_key",
        "create index fp_extra on fp_message (event)",
        "create index extra on fp_message (event)",
        "create trigger planted after insert on fp_delivery begin delete from fp_message; end",
        "create view fp_extra as select 1",
    ],
)
def test_tables_that_are_not_those_of_the_version_are_corrupt(ours: Path, sql: str) -> None:
    _run(ours, sql)

    with _untouched(ours, StoreCorrupt):
        connect(ours)


def test_tables_of_the_users_own_beside_ours_will_do(ours: Path) -> None:
    _run(ours, "create table orders (n integer); create view few as select n from orders")

    with connect(ours) as store:
        assert store.queue("mail").enqueue(b"hello", key="k").status == "duplicate"


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreOpenFailed, match="there is no store"):
        connect(path, create=False)
    assert path.stat().st_size == 0

    with connect(path) as store:
        assert store.queue("mail").enqueue(b"hello").status == "accepted"


# P6
@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.99"])
def test_a_sqlite_that_can_lose_commits_is_refused(version: str) -> None:
    with pytest.raises(StoreOpenFailed, match="can lose commits"):
        settings.check_sqlite(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.52.0", "3.100.0", "4.0.0"])
def test_a_sqlite_that_is_new_enough_will_do(version: str) -> None:
    settings.check_sqlite(version)


# P19, CONN-2
def test_a_file_that_cannot_have_a_wal_is_refused(path: Path) -> None:
    apsw.set_default_vfs("unix-dotfile")  # it has no shared memory, which a WAL needs
    try:
        with pytest.raises(StoreOpenFailed, match="stays in journal mode 'delete'"):
            connect(path)
    finally:
        apsw.set_default_vfs("unix")
