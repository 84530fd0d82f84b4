"""What every connection is set to, whoever opened it."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from fencepost import InvalidInput, Store, connect
from fencepost.stress.sqlite.disk.disk import Disk

from .inside import connection


def _settings(store: Store) -> dict[str, object]:
    names = ("journal_mode", "wal_autocheckpoint", "foreign_keys", "temp_store", "cell_size_check")
    return {name: connection(store).pragma(name) for name in names}


EXPECTED = {
    "journal_mode": "wal",
    "wal_autocheckpoint": 0,
    "foreign_keys": 1,
    "temp_store": 2,
    "cell_size_check": 1,
}


# CONN-3
def test_the_pragmas_are_those_that_the_promises_need(store: Store) -> None:
    assert _settings(store) == EXPECTED


# CONN-3
@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_durability_says_how_a_commit_is_synced(
    tmp_path: Path, durability: str, synchronous: int
) -> None:
    with connect(tmp_path / "store.db", durability=durability) as store:
        assert connection(store).pragma("synchronous") == synchronous


def test_full_is_the_default_and_nothing_else_is_known(tmp_path: Path) -> None:
    with connect(tmp_path / "store.db") as store:
        assert connection(store).pragma("synchronous") == 2
    with pytest.raises(InvalidInput):
        connect(tmp_path / "store.db", durability="off")


# S12, P28
@pytest.mark.parametrize(
    ("option", "value"),
    [
        (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
        (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
        (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
        (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1),
    ],
)
def test_the_connection_is_hardened(store: Store, option: int, value: int) -> None:
    assert connection(store).config(option, -1) == value


def test_a_commit_that_is_acknowledged_was_synced_in_full_mode_alone(
    disk: Disk, tmp_path: Path
) -> None:
    for durability, syncs in (("full", 10), ("normal", 0)):
        with connect(tmp_path / f"{durability}.db", durability=durability) as store:
            store.queue("mail").enqueue(b"the first finds the WAL empty")
            disk.done.clear()

            for _ in range(10):
                store.queue("mail").enqueue(b"hello")

            assert disk.done["sync"] == syncs


# TXN-3
def test_a_connection_opened_anew_after_a_failure_is_set_the_same(
    disk: Disk, tmp_path: Path
) -> None:
    with connect(tmp_path / "store.db") as store:
        before = connection(store)
        disk.inject("sync", 1, "EIO", of="-wal")
        with pytest.raises(Exception, match="COMMIT"):
            store.queue("mail").enqueue(b"hello")

        store.stats()

        assert connection(store) is not before
        assert _settings(store) == EXPECTED
        assert connection(store).pragma("synchronous") == 2
        assert connection(store).config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, -1) == 0
