"""fencepost doctor --quarantine: only what is damaged, only when nobody has it, all of it."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from fencepost import StoreCorrupt, connect

from ..processes import line_of, running
from .command import Command

_OPEN = """
import sys
from fencepost import connect
store = connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def filled(path: Path) -> Path:
    with connect(path) as store:
        store.queue("mail").enqueue_many([{"body": b"x" * 3000, "key": f"{n}"} for n in range(50)])
    return path


def _damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(30 * 4096)
        file.write(b"\xa5" * 4096 * 8)


def _cut_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def _newer(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()


def _names(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()}


# FILE-1
@pytest.mark.parametrize("harm", [_damage, _cut_head, _newer])
def test_a_store_that_cannot_be_used_is_moved_and_the_next_is_empty(
    filled: Path, command: Command, harm: object
) -> None:
    assert callable(harm)
    harm(filled)

    moved = command("doctor", "--quarantine", "--json")

    assert (moved.code, moved.err) == (0, "")
    aside = Path(moved.json()["quarantined"])
    assert re.fullmatch(r"hooks\.db\.quarantined-\d{8}T\d{6}Z", aside.name)
    assert aside.exists()
    assert not filled.exists()
    assert not filled.with_name("hooks.db-ballast").exists()
    with connect(filled) as store:
        assert store.queue("mail").enqueue(b"", key="1").status == "accepted"


# FILE-1
def test_nothing_of_the_old_store_stays_beside_the_new_one(filled: Path, command: Command) -> None:
    _cut_head(filled)
    for suffix in ("-wal", "-shm"):
        filled.with_name(filled.name + suffix).write_bytes(b"old")

    assert command("doctor", "--quarantine").code == 0

    names = _names(filled)
    assert {"hooks.db", "hooks.db-wal", "hooks.db-shm", "hooks.db-alive"}.isdisjoint(names)
    assert {re.sub(r"\d{8}T\d{6}Z", "T", name) for name in names} == {
        "hooks.db-gate",
        *(f"hooks.db.quarantined-T{end}" for end in ("", "-wal", "-shm", "-wakeup", "-alive")),
    }


# FILE-1
def test_a_store_that_is_well_stays(filled: Path, command: Command) -> None:
    refused = command("doctor", "--quarantine")

    assert refused.complains(2)
    assert "well" in refused.err
    with connect(filled, create=False) as store:
        assert store.queue("mail").enqueue(b"x" * 3000, key="1").status == "duplicate"


# FILE-1
def test_a_database_of_another_program_stays(path: Path, command: Command) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("create table theirs (n integer)")
    connection.close()

    refused = command("doctor", "--quarantine")

    assert refused.complains(2)
    assert "another program" in refused.err
    assert _names(path) == {path.name}


def test_a_store_that_a_process_has_open_stays_and_the_process_is_named(
    filled: Path, command: Command
) -> None:
    with running(["-c", _OPEN, str(filled)], cwd=filled.parent) as process:
        assert line_of(process) == "open"
        _damage(filled)

        refused = command("doctor", "--quarantine")

        assert refused.complains(2)
        assert f"process {process.pid} " in refused.err
        assert filled.exists()


def test_a_store_that_this_process_has_open_stays(filled: Path, command: Command) -> None:
    store = connect(filled)
    connection = apsw.Connection(str(filled))
    connection.pragma("user_version", 99)

    assert command("doctor", "--quarantine").complains(2)

    assert filled.exists()
    store.close()
    connection.close()


# FILE-1
def test_nothing_is_ever_moved_unasked(filled: Path, command: Command) -> None:
    _cut_head(filled)
    before = filled.read_bytes()

    assert command("doctor").code == 1
    with pytest.raises(StoreCorrupt):
        connect(filled)

    assert filled.read_bytes() == before
