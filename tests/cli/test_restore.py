"""fencepost restore and adopt: a backup, or a copy of other tools, becomes the store."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost import StoreOpenFailed, connect
from fencepost.store.sqlite.whole_file.lineage import FENCE_EPOCH

from ..processes import PATIENCE_SECONDS, line_of, running
from .command import Command

_OPEN = """
import sys
from fencepost import connect
store = connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""

_RESTORE = """
import os, sys
from fencepost.store.connect import restore
real = getattr(os, sys.argv[3])
calls = []
def die(*words, **named):
    calls.append(words)
    if len(calls) == int(sys.argv[4]):
        os.kill(os.getpid(), 9)
    return real(*words, **named)
setattr(os, sys.argv[3], die)
restore(sys.argv[1], sys.argv[2])
"""


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """A backup with one message that was leased when it was made; the store has two."""
    dest = tmp_path / "backups" / "monday.db"
    dest.parent.mkdir()
    with connect(path) as store:
        queue = store.queue("mail")
        queue.enqueue(b"old", key="old")
        queue.claim(lease=3600)
        store.backup(dest)
        queue.enqueue(b"new", key="new")
    return dest


def _keys(path: Path) -> list[str | None]:
    with connect(path, create=False) as store:
        return [delivery.key for delivery in store.deliveries()]


def _die_with_a_wal(path: Path) -> None:
    """Store a message that is in the WAL alone when the last process is killed."""
    with running(["-c", _OPEN, str(path)], cwd=path.parent) as process:
        assert line_of(process) == "open"
        with connect(path) as store:
            store.queue("mail").enqueue(b"late", key="late")
        process.kill()
        process.wait()


def _names(path: Path) -> list[str]:
    return sorted(name.name for name in path.parent.iterdir() if name.suffix != ".db-gate")


# OPS-9
def test_a_backup_takes_the_stores_place_and_the_store_is_kept(
    path: Path, backup: Path, command: Command
) -> None:
    shown = command("restore", str(backup), "--json")

    restored = shown.json()
    assert (shown.code, shown.err) == (0, "")
    assert restored["path"] == str(path)
    assert _keys(path) == ["old"]
    assert _keys(Path(restored["aside"])) == ["new", "old"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert backup.exists()
    assert sorted(os.listdir(backup.parent)) == ["monday.db"]
    with connect(path) as store:
        (claim,) = store.queue("mail").claim()
        assert claim.fence > restored["fence"] > FENCE_EPOCH


# OPS-9
def test_the_wal_of_a_killed_process_goes_aside_with_its_store(
    path: Path, backup: Path, command: Command
) -> None:
    _die_with_a_wal(path)
    assert path.with_name("hooks.db-wal").exists()

    restored = command("restore", str(backup), "--json").json()

    assert _keys(path) == ["old"]
    assert _keys(Path(restored["aside"])) == ["late", "new", "old"]


# OPS-9
def test_a_backup_put_beside_an_old_wal_by_hand_is_set_right(
    path: Path, backup: Path, command: Command
) -> None:
    _die_with_a_wal(path)
    shutil.copyfile(backup, path)
    with pytest.raises(StoreOpenFailed, match="fencepost restore"):
        connect(path)

    assert command("restore", str(backup)).code == 0

    assert _keys(path) == ["old"]


# OPS-9
def test_restoring_twice_never_repeats_a_fence(
    path: Path, backup: Path, command: Command, tmp_path: Path
) -> None:
    fences = []
    for _ in range(2):
        assert command("restore", str(backup)).code == 0
        with connect(path) as store:
            fences += [claim.fence for claim in store.queue("mail").claim()]
        for name in path.parent.glob("*.replaced-*"):
            name.rename(tmp_path / "backups" / f"{len(fences)}-{name.name}")

    assert fences[1] > fences[0] + FENCE_EPOCH // 2


# OPS-9
def test_a_store_is_restored_where_there_is_none(
    path: Path, backup: Path, command: Command
) -> None:
    for name in path.parent.glob("hooks.db*"):
        name.unlink()

    assert command("restore", str(backup)).code == 0

    assert _keys(path) == ["old"]


# OPS-10
def test_a_store_that_somebody_has_open_is_neither_replaced_nor_adopted(
    path: Path, backup: Path, command: Command
) -> None:
    with running(["-c", _OPEN, str(path)], cwd=path.parent) as process:
        assert line_of(process) == "open"

        for words in (("restore", str(backup)), ("adopt",)):
            refused = command(*words)

            assert refused.complains(2)
            assert str(process.pid) in refused.err
    assert _keys(path) == ["new", "old"]


# OPS-10
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "there is no such file, or it is empty"),
        ("empty", "there is no such file, or it is empty"),
        ("garbage", "it is not a SQLite database"),
        ("foreign", "it is a SQLite database of another program"),
        ("newer", "it has schema version 1000000; this Fencepost knows up to"),
        ("itself", "it is the store itself"),
        ("damaged", "it is damaged: "),
    ],
)
def test_what_is_no_sound_backup_is_refused_and_nothing_changes(
    path: Path, backup: Path, command: Command, kind: str, why: str
) -> None:
    if kind == "missing":
        backup.unlink()
    elif kind == "empty":
        backup.write_bytes(b"")
    elif kind == "garbage":
        backup.write_bytes(os.urandom(8192))
    elif kind == "foreign":
        backup.unlink()
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('create table t (a)')"
        subprocess.run([sys.executable, "-c", code, str(backup)], check=True)
    elif kind == "newer":
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])"
        newer = "pragma user_version = 1000000"
        subprocess.run([sys.executable, "-c", code, str(backup), newer], check=True)
    elif kind == "damaged":
        data = bytearray(backup.read_bytes())
        data[4096 * 4 : 4096 * 12] = b"\xa5" * 4096 * 8
        backup.write_bytes(data)
    before = _names(path)

    given = path if kind == "itself" else backup

    refused = command("restore", str(given))

    assert refused.err.startswith(f"Error: cannot restore {given}: {why}")
    assert refused.err.endswith(f"; {path} was not changed\n")
    assert refused.code in (1, 2)
    assert refused.complains(refused.code)
    assert set(_names(path)) <= {*before, "hooks.db-gate"}
    assert _keys(path) == ["new", "old"]


# OPS-10
@pytest.mark.parametrize(("call", "nth"), [("link", 1), ("rename", 1), ("rename", 2)])
def test_a_restore_that_is_killed_loses_nothing_and_can_be_repeated(
    path: Path, backup: Path, command: Command, call: str, nth: int
) -> None:
    _die_with_a_wal(path)
    killed = subprocess.run(
        [sys.executable, "-c", _RESTORE, str(backup), str(path), call, str(nth)],
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert killed.returncode == -signal.SIGKILL
    assert path.exists()

    restored = command("restore", str(backup), "--json")

    assert restored.code == 0, restored.err
    assert _keys(path) == ["old"]
    assert _keys(Path(restored.json()["aside"])) == ["late", "new", "old"]


# OPS-11
def test_an_adopted_copy_has_no_leases_and_greater_fences(
    path: Path, tmp_path: Path, command: Command
) -> None:
    with connect(path) as store:
        queue = store.queue("mail")
        queue.enqueue_many([{"body": b"", "key": f"{n}"} for n in range(3)])
        claims = queue.claim(limit=2, lease=3600)
        store.leases.acquire("deploy", ttl=3600)
    copy = tmp_path / "copy" / "hooks.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)

    shown = command("adopt", "--store", str(copy), "--json")

    assert shown.json() == {"path": str(copy), "leases": 3, "fence": shown.json()["fence"]}
    with connect(copy) as store:
        queue = store.queue("mail")
        again = queue.claim(limit=5)
        assert len(again) == 3
        assert all(claim.fence > FENCE_EPOCH for claim in again)
        assert queue.ack_many(claims) == claims  # the original's are good for nothing here
        store.leases.acquire("deploy", ttl=1)
    with connect(path) as store:
        assert store.stats()["mail"].leased == 2
