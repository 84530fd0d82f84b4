"""A sync that failed: what the kernel then takes for written may not be on the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from random import Random

import apsw
import pytest

from fencepost import FencepostError, OutcomeUnknown, Store, connect
from fencepost.store.sqlite.session import recovery
from fencepost.stress.sim.life import Lives
from fencepost.stress.sqlite.census import integrity
from fencepost.stress.sqlite.disk.disk import Disk, disk
from fencepost.stress.sqlite.disk.errors import CHANGES

from .inside import ask, session

KEYS = [f"{n}" for n in range(12)]
MORE = [{"body": b"y" * 900, "key": f"more-{n}"} for n in range(30)]


class _PowerLost(BaseException):
    pass


def _fill(path: Path) -> None:
    with connect(path) as store:
        store.queue("q").enqueue_many({"body": b"x" * 900, "key": key} for key in KEYS)


def _leave_a_failed_commit(here: Disk, path: Path) -> None:
    """Leave a WAL with two commits, of which the disk has only the first for certain."""
    store, other = connect(path), connect(path)
    store.queue("q").claim()[0].ack()
    here.inject("sync", 1, "EIO")
    with pytest.raises(OutcomeUnknown):
        store.queue("q").enqueue_many(MORE)
    with here.killed():
        store.close()
        other.close()


def _require_whole(path: Path) -> None:
    with connect(path) as store:
        keys = {each.key for each in store.deliveries(limit=100)}
        assert keys - {draft["key"] for draft in MORE} == set(KEYS)
        assert store.queue("q").stats().done == 1
    assert integrity(path) == "ok"


# FSYNC-1
@pytest.mark.parametrize("seed", range(12))
def test_a_wal_is_on_the_disk_before_its_pages_are_in_the_database(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "store.db"
    with disk() as here:
        _fill(path)
        _leave_a_failed_commit(here, path)

        store = connect(path)
        session(store).checkpoint()
        with here.lose_power(Random(seed)):
            store.close()

        _require_whole(path)


# FSYNC-1
def test_a_store_that_is_used_again_after_a_failed_sync_does_the_same(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with disk() as here:
        for seed in range(6):
            _fill(path)
            store = connect(path)
            store.queue("q").claim()[0].ack()
            here.inject(("sync", "delete"), 1, "EIO", for_ever=True)
            with pytest.raises(OutcomeUnknown):
                store.queue("q").enqueue_many(MORE)
            here.heal()
            assert store.queue("q").stats().done == 1
            session(store).checkpoint()
            with here.lose_power(Random(seed)):
                store.close()

            _require_whole(path)
            for name in tmp_path.iterdir():
                name.unlink()


# FSYNC-2
def test_power_lost_while_a_wal_is_recovered_leaves_one_that_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    def lose() -> None:
        raise _PowerLost

    for nth in range(1, 40):
        with disk() as here:
            _fill(path)
            _leave_a_failed_commit(here, path)
            here.inject(CHANGES, nth, lose)
            store: Store | None = None
            with suppress(_PowerLost):
                store = connect(path)
            met = here.met > 1
            here.heal()
            with here.lose_power(Random(nth)):
                if store is not None:
                    store.close()
            _require_whole(path)
        for name in tmp_path.iterdir():
            name.unlink()
        if not met:
            break
    assert 8 < nth < 39, "too few operations, or too many, to recover a WAL"


# FSYNC-3
def test_a_wal_that_cannot_be_copied_for_lack_of_room_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with disk() as here:
        _fill(path)
        _leave_a_failed_commit(here, path)

        here.inject("write", 1, "ENOSPC", of="-recovered", for_ever=True)
        store = connect(path)
        assert not os.path.exists(f"{path}-recovered")
        session(store).checkpoint()
        with here.lose_power(Random(1)):
            store.close()

        _require_whole(path)


# FSYNC-3
@pytest.mark.parametrize("kind", ["write", "sync", "delete", "open", "truncate"])
def test_a_wal_that_cannot_be_made_durable_is_not_used(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.db"
    of = "-wal" if kind == "delete" else "-recovered"
    with disk() as here:
        _fill(path)
        _leave_a_failed_commit(here, path)

        here.inject(kind, 1, "EIO", of=of, for_ever=True)  # type: ignore[arg-type]
        with pytest.raises(FencepostError) as told:
            connect(path)
        assert told.value.code in ("store_open_failed", "store_failed")
        here.heal()

        with connect(path) as store:
            session(store).checkpoint()
        _require_whole(path)


# FSYNC-4
def test_only_the_first_to_open_a_store_copies_its_wal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    with disk() as here:
        _fill(path)
        _leave_a_failed_commit(here, path)
        copied: list[str] = []
        make_durable = recovery.make_durable

        def note(path: str) -> None:
            copied.append(path)
            make_durable(path)

        monkeypatch.setattr(recovery, "make_durable", note)
        with connect(path), connect(path) as second:
            second.queue("q").enqueue(b"more")
            with connect(path):
                pass

    assert copied == [str(path)]


# FSYNC-4
def test_a_wal_that_another_program_has_open_is_left_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with disk() as here:
        _fill(path)
        _leave_a_failed_commit(here, path)
        other = apsw.Connection(str(path), vfs="unix")
        other.execute("select count(*) from fp_message").fetchall()
        wal = os.stat(f"{path}-wal").st_ino

        with connect(path) as store:
            assert os.stat(f"{path}-wal").st_ino == wal
            store.queue("q").enqueue(b"more", key="more")
            assert other.execute("select count(*) from fp_message").fetchall() == [(43,)]
        other.close()


# FSYNC-5
def test_a_checkpoint_whose_sync_failed_writes_the_wal_again_before_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    for seed in range(8):
        with disk() as here:
            _fill(path)
            store = connect(path, durability="normal")
            for _ in range(4):
                store.queue("q").claim()[0].ack()
            here.inject("sync", 1, "EIO", of="-wal")
            with pytest.raises(FencepostError):
                session(store).checkpoint()

            assert session(store).checkpoint().complete
            with here.lose_power(Random(seed)):
                store.close()

            assert integrity(path) == "ok"
            assert ask(path, "select count(*) from fp_delivery where state = 'done'") == [(4,)]
        for name in tmp_path.iterdir():
            name.unlink()


# FSYNC-1
def test_the_life_in_which_it_was_found_ends_well(tmp_path: Path) -> None:
    lives = Lives(tmp_path, 170)

    lives.live(9452)

    assert lives.findings == []
