"""A WAL beside a database that it was not written for is found before it does harm."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fencepost import StoreOpenFailed, connect
from fencepost.store.connect import migrate

from ..processes import line_of, running

_KEEP = """
import sys
from fencepost import connect
store = connect(sys.argv[1])
queue = store.queue("mail")
for n in range(int(sys.argv[2])):
    queue.enqueue(b"x" * 2000, key=f"late-{n}")
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with some messages that nobody has open."""
    made = tmp_path / "stores" / "hooks.db"
    made.parent.mkdir()
    with connect(made) as store:
        store.queue("mail").enqueue_many([{"body": b"x" * 2000, "key": f"{n}"} for n in range(20)])
    return made


def _die_with_a_wal(path: Path, messages: int = 30) -> None:
    """Have a process store messages and be killed, so that they are in the WAL alone."""
    with running(["-c", _KEEP, str(path), str(messages)], cwd=path.parent) as process:
        assert line_of(process) == "done"
        process.kill()
        process.wait()
    assert path.with_name("hooks.db-wal").stat().st_size > 0


def _bytes(path: Path) -> dict[str, bytes]:
    return {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}


def _count(path: Path) -> int:
    with connect(path) as store:
        assert store.engine.upkeep.integrity().ok
        return store.stats()["mail"].ready


def _copied_over(copy: Path, path: Path) -> None:
    shutil.copyfile(copy, path)


def _moved_over(copy: Path, path: Path) -> None:
    os.replace(copy, path)


# OPS-7
@pytest.mark.parametrize("put", [_copied_over, _moved_over])
def test_a_backup_beside_the_wal_of_the_store_it_replaces_is_refused_untouched(
    path: Path, tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    with connect(path) as store:
        store.backup(tmp_path / "backup.db")
    _die_with_a_wal(path)
    put(tmp_path / "backup.db", path)
    before = _bytes(path)

    for use in (lambda: connect(path), lambda: migrate(path, dry_run=False)):
        with pytest.raises(StoreOpenFailed, match="was written for another database"):
            use()

    assert _bytes(path) == before
    for name in ("-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)
    assert _count(path) == 20


# OPS-7
def test_a_backup_put_in_place_by_hand_is_told_from_its_own_later_wal(
    path: Path, tmp_path: Path
) -> None:
    with connect(path) as store:
        store.backup(tmp_path / "backup.db")
    shutil.copyfile(tmp_path / "backup.db", path)
    assert _count(path) == 20
    _die_with_a_wal(path)
    shutil.copyfile(tmp_path / "backup.db", path)

    with pytest.raises(StoreOpenFailed, match="was written for another database"):
        connect(path)


# OPS-8
def test_a_wal_that_a_killed_process_left_is_its_databases_own(path: Path) -> None:
    for n in range(3):
        _die_with_a_wal(path, messages=10 * (n + 1))  # the first keys are duplicates again

    assert _count(path) == 50


# OPS-8
def test_a_snapshot_of_all_files_is_opened_elsewhere(path: Path, tmp_path: Path) -> None:
    _die_with_a_wal(path)
    shutil.copytree(path.parent, tmp_path / "snapshot", ignore=shutil.ignore_patterns("*-wakeup"))

    assert _count(tmp_path / "snapshot" / "hooks.db") == 50


# OPS-8
def test_a_store_whose_gate_is_gone_is_opened_with_its_wal(path: Path) -> None:
    _die_with_a_wal(path)
    path.with_name("hooks.db-gate").unlink()

    assert _count(path) == 50


# OPS-8
def test_an_empty_store_begun_in_the_place_of_a_deleted_one_is_opened(path: Path) -> None:
    _die_with_a_wal(path)
    path.unlink()

    with connect(path) as store:
        assert store.stats() == {}
    _die_with_a_wal(path)
    assert _count(path) == 30
