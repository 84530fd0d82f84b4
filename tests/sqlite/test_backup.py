"""A backup: one file with all that was acknowledged, in which nobody holds anything."""

from __future__ import annotations

import os
import random
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fencepost import (
    InvalidInput,
    LeaseLost,
    LimitExceeded,
    Queue,
    Store,
    StoreCorrupt,
    StoreFull,
    StoreOpenFailed,
    connect,
)
from fencepost.store.sqlite.whole_file.lineage import FENCE_EPOCH
from fencepost.stress.sqlite.disk.disk import Disk

from ..clock import FakeClock
from ..processes import line_of, running, wait_until
from .inside import ask, connection, session

_WRITER = """
import itertools, sys
from fencepost import connect
with connect(sys.argv[1]) as store:
    queue = store.queue("mail")
    for n in itertools.count():
        queue.enqueue(b"x" * 500, key=f"{sys.argv[2]} {n}")
        print(n, flush=True)
"""

_BACKUP = """
import os, sys
from fencepost import connect
from fencepost.store.sqlite.file import paths
from fencepost.store.sqlite.whole_file import lineage
def die(*_, **__):
    os.kill(os.getpid(), 9)
setattr({"begin_anew": lineage, "sync": paths}[sys.argv[3]], sys.argv[3], die)
connect(sys.argv[1]).backup(sys.argv[2])
"""


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """Where a backup goes: a folder of its own, so that what else is left there shows."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "copy.db"


def _left(dest: Path) -> list[str]:
    return sorted(os.listdir(dest.parent))


# P17, P23
def test_a_backup_is_one_private_file_that_is_whole(store: Store, queue: Queue, dest: Path) -> None:
    queue.enqueue(b"hello", key="k")

    path = store.backup(dest)

    assert path == str(dest)
    assert _left(dest) == ["copy.db"]
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    assert dest.stat().st_nlink == 1
    assert ask(dest, "pragma integrity_check") == [("ok",)]
    with connect(dest) as copy:
        assert copy.queue("mail").enqueue(b"hello", key="k").status == "duplicate"


# P23, WAL-10
def test_a_backup_under_load_holds_all_that_was_acknowledged_before_it(
    tmp_path: Path, dest: Path
) -> None:
    path = tmp_path / "store.db"
    with (
        connect(path) as store,
        running(["-c", _WRITER, str(path), "a"], cwd=tmp_path) as first,
        running(["-c", _WRITER, str(path), "b"], cwd=tmp_path) as second,
    ):
        for _ in range(50):
            line_of(first), line_of(second)
        acknowledged = {
            f"{name} {n}"
            for name, process in (("a", first), ("b", second))
            for n in range(int(line_of(process)) + 1)
        }

        store.backup(dest)

        line_of(first), line_of(second)  # they go on
    found = {key for (key,) in ask(dest, "select key from fp_message")}
    assert acknowledged <= found
    assert ask(dest, "pragma integrity_check") == [("ok",)]


def test_who_held_a_claim_has_none_in_the_copy(
    store: Store, queue: Queue, dest: Path, clock: FakeClock
) -> None:
    queue.enqueue_many([{"body": b"one"}, {"body": b"two"}])
    (late,) = queue.claim(limit=1, lease=1)
    clock.advance(2)
    (live,) = queue.claim(limit=1, lease=60)
    store.backup(dest)

    with connect(dest, clock=clock) as copy:
        for old in (late, live):
            for end in (
                lambda hold=old.hold: copy.engine.queue.ack(hold, None),
                lambda hold=old.hold: copy.engine.queue.release(hold),
                lambda hold=old.hold: copy.engine.queue.renew(hold, 30_000),
            ):
                with pytest.raises(LeaseLost):
                    end()
        claims = copy.queue("mail").claim(limit=10)

    assert len(claims) == 2
    assert all(claim.fence > FENCE_EPOCH for claim in claims)
    live.ack()  # in the store itself nothing has changed


def test_named_leases_and_keys_in_work_are_ended_in_the_copy(store: Store, dest: Path) -> None:
    with session(store).write("test") as write:
        write.run("insert into fp_lease values ('deploy', 'me', 7, 'token', null, 1, 99)")
        write.run(
            "insert into fp_once (namespace, key, state, holder, fence, token, claimed_at_ms, "
            "expires_at_ms) values ('n', 'in work', 'claimed', 'me', 8, 'token', 1, 99), "
            "('n', 'done', 'done', 'me', 9, null, 1, 99)"
        )

    store.backup(dest)

    assert ask(dest, "select fence, token, expires_at_ms from fp_lease") == [(7, None, 0)]
    assert ask(dest, "select fence, token, expires_at_ms from fp_once order by id") == [
        (8, None, 0),
        (9, None, 99),
    ]


def test_a_backup_never_overwrites(store: Store, dest: Path) -> None:
    dest.write_bytes(b"precious")

    with pytest.raises(StoreOpenFailed, match="never overwrites"):
        store.backup(dest)

    assert dest.read_bytes() == b"precious"
    assert _left(dest) == ["copy.db"]


def test_a_file_that_comes_while_the_copy_is_made_is_not_overwritten(
    store: Store, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(source: str, target: str) -> None:
        dest.write_bytes(b"precious")
        link(source, target)

    monkeypatch.setattr(os, "link", late)

    with pytest.raises(StoreOpenFailed, match="never overwrites"):
        store.backup(dest)

    assert dest.read_bytes() == b"precious"
    assert _left(dest) == ["copy.db"]


def test_a_wal_left_by_another_file_is_not_adopted(store: Store, dest: Path) -> None:
    dest.with_name("copy.db-wal").write_bytes(b"old")

    with pytest.raises(StoreOpenFailed):
        store.backup(dest)

    assert _left(dest) == ["copy.db-wal"]


@pytest.mark.parametrize("name", ["", ":memory:", "file:x", "a\0b"])
def test_what_names_no_file_is_invalid_input(store: Store, name: str) -> None:
    with pytest.raises(InvalidInput):
        store.backup(name)


def test_the_folder_of_a_backup_must_be_as_safe_as_a_stores(store: Store, dest: Path) -> None:
    dest.parent.chmod(0o777)

    with pytest.raises(StoreOpenFailed):
        store.backup(dest)
    with pytest.raises(StoreOpenFailed):
        store.backup(dest.parent / "missing" / "copy.db")

    assert _left(dest) == []


def test_a_symbolic_link_is_not_followed(store: Store, dest: Path, tmp_path: Path) -> None:
    dest.symlink_to(tmp_path / "victim")

    with pytest.raises(StoreOpenFailed):
        store.backup(dest)

    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("at", ["begin_anew", "sync"])
def test_a_backup_killed_in_its_middle_leaves_nothing_under_its_name(
    tmp_path: Path, address: str, dest: Path, at: str
) -> None:
    with connect(address) as store:
        store.queue("mail").enqueue(b"hello", key="k")

    with running(["-c", _BACKUP, address, str(dest), at], cwd=tmp_path) as process:
        wait_until(lambda: process.poll() is not None, "it is dead")

    assert process.returncode == -signal.SIGKILL
    assert not dest.exists()
    with connect(address) as store:
        store.backup(dest)
    assert ask(dest, "select key from fp_message") == [("k",)]


def test_a_full_disk_leaves_nothing_behind(disk: Disk, address: str, dest: Path) -> None:
    with connect(address) as store:
        disk.inject("write", 1, "ENOSPC", of=".partial", for_ever=True)

        with pytest.raises(StoreFull):
            store.backup(dest)

        assert disk.met > 0
    assert _left(dest) == []


def test_a_damaged_store_gives_no_backup(address: str, dest: Path) -> None:
    with connect(address) as store:
        store.queue("mail").enqueue_many([{"body": random.randbytes(3000)} for _ in range(50)])
    with open(address, "r+b") as file:
        file.seek(-20 * 4096, os.SEEK_END)  # among the bodies
        file.write(b"\xa5" * 4096 * 5)

    with connect(address) as store, pytest.raises(StoreCorrupt):
        store.backup(dest)

    assert _left(dest) == []


def test_a_store_at_the_end_of_its_fences_is_not_wrapped(store: Store, dest: Path) -> None:
    with session(store).write("test") as write:
        write.run("update fp_store set last_fence = 9223372036854775807")

    with pytest.raises(LimitExceeded):
        store.backup(dest)

    assert _left(dest) == []


def test_within_a_transaction_it_is_refused(store: Store, queue: Queue, dest: Path) -> None:
    with pytest.raises(InvalidInput), store.transaction():
        queue.enqueue(b"not yet")
        store.backup(dest)

    assert _left(dest) == []


# READ-3
def test_nobody_waits_for_anybody_when_a_thread_makes_it(
    store: Store, queue: Queue, dest: Path
) -> None:
    queue.enqueue(b"committed")
    with ThreadPoolExecutor(1) as pool, store.transaction():
        queue.enqueue(b"not yet")
        pool.submit(store.backup, dest).result(timeout=60)

    assert ask(dest, "select count(*) from fp_message") == [(1,)]


def test_the_store_is_as_it_was(store: Store, queue: Queue, dest: Path, address: str) -> None:
    queue.enqueue(b"hello")
    queue.claim()
    before = connection(store).total_changes(), ask(address, "select * from fp_delivery")

    store.backup(dest)

    assert (connection(store).total_changes(), ask(address, "select * from fp_delivery")) == before
