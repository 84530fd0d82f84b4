"""The disk under SQLite that loses power and fails: what is left, what is met."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from fencepost import FencepostError, OutcomeUnknown, Store, StoreFailed, connect
from fencepost.stress.sqlite.disk.disk import Disk, disk
from fencepost.stress.sqlite.disk.errors import KINDS
from fencepost.stress.sqlite.disk.operations import Op
from fencepost.stress.sqlite.disk.write_cache import WriteCache

PATH = "/folder/file"


@pytest.fixture
def here() -> Iterator[Disk]:
    with disk() as made:
        yield made


def _cache(*ops: Op) -> WriteCache:
    cache = WriteCache()
    for op in (Op("create", PATH, 1), *ops):
        cache.apply(op)
    return cache


def _write(offset: int, data: bytes) -> Op:
    return Op("write", PATH, 1, offset, data)


def _synced(*, folder: bool = True) -> Op:
    return Op("sync", PATH, 1, folder=folder)


def _whole(cache: WriteCache) -> set[bytes | None]:
    """Return what may be left of the file, None for nothing; torn writes are not among it."""
    rolls = [cache.images(random.Random(seed), 100) for seed in range(3)]
    return set.intersection(*({image.get(PATH) for image in roll} for roll in rolls))


def test_what_was_synced_is_left_and_of_the_rest_any_part() -> None:
    cache = _cache(_write(0, b"ab"), _synced(), _write(1, b"X"), _write(3, b"Y"))

    assert _whole(cache) == {b"ab", b"aX", b"ab\0Y", b"aX\0Y"}


def test_a_file_of_a_folder_that_was_not_synced_may_be_gone() -> None:
    cache = _cache(_write(0, b"ab"), _synced(folder=False))

    assert _whole(cache) == {None, b"ab"}


def test_a_file_that_was_deleted_and_made_anew_is_another() -> None:
    cache = _cache(_write(0, b"old"), _synced(), Op("delete", PATH, 1), Op("create", PATH, 2))
    cache.apply(Op("write", PATH, 2, 0, b"new"))
    cache.apply(Op("sync", PATH, 2))

    assert _whole(cache) == {None, b"old", b"new"}


def test_a_sync_after_one_that_failed_saves_only_what_was_written_again() -> None:
    failed = Op("failed sync", PATH, 1)
    ops = (_write(0, b"ab"), _synced(), _write(0, b"X"), _write(1, b"Y"), failed)

    assert _whole(_cache(*ops, _synced())) == {b"ab", b"Xb", b"aY", b"XY"}
    assert _whole(_cache(*ops, _write(0, b"Z"), _synced())) == {b"Zb", b"ZY"}


def test_a_truncated_file_may_have_its_old_length() -> None:
    cache = _cache(_write(0, b"abc"), _synced(), Op("truncate", PATH, 1, 1))

    assert _whole(cache) == {b"abc", b"a"}


def test_a_torn_write_is_torn_at_sectors_and_leaves_the_rest_alone() -> None:
    cache = _cache(_write(0, b"." * 2048), _synced(), _write(256, b"x" * 1024))
    seen = set()

    for seed in range(300):
        *_, torn = cache.images(random.Random(seed), 1)
        contents = torn[PATH]
        assert contents[:256] + contents[1280:] == b"." * 1024
        sectors = contents[256:512], contents[512:1024], contents[1024:1280]
        seen.add(tuple(sector[0] if len(set(sector)) == 1 else None for sector in sectors))

    assert len(seen) == 27


def test_many_unsynced_writes_are_left_out_one_by_one() -> None:
    cache = _cache(_synced(), *(_write(n, b"x") for n in range(10)))

    left = [image[PATH] for image in cache.images(random.Random(1), 1000)][:-1]

    assert b"x" * 10 in left
    assert {b"x" * n for n in range(10)} <= set(left)
    assert {b"x" * n + b"\0" + b"x" * (9 - n) for n in range(9)} <= set(left)


def test_a_store_has_after_a_power_loss_what_it_acknowledged(here: Disk, tmp_path: Path) -> None:
    chance = random.Random(1)
    path = tmp_path / "store.db"
    for count in range(20):
        store = connect(path)
        assert store.queue("mail").stats().ready == count
        store.queue("mail").enqueue(b"hello")

        with here.lose_power(chance):
            store.close()

    assert here.done["sync"] > 20


def test_what_is_not_synced_may_be_lost(here: Disk, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connect(path).close()
    left = []

    for seed in range(20):
        store = connect(path, durability="normal")
        before = store.queue("mail").stats().ready
        store.queue("mail").enqueue(b"hello")
        with here.lose_power(random.Random(seed)):
            store.close()
        with connect(path) as store:
            left.append(store.queue("mail").stats().ready - before)

    assert set(left) == {0, 1}


def test_a_store_closed_as_if_killed_leaves_its_wal(here: Disk, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = connect(path)
    store.queue("mail").enqueue(b"hello")

    with here.killed():
        store.close()

    assert os.stat(f"{path}-wal").st_size > 0
    with connect(path) as store:
        assert store.queue("mail").stats().ready == 1


def test_power_is_not_lost_under_an_open_store(here: Disk, tmp_path: Path) -> None:
    with (
        connect(tmp_path / "store.db"),
        pytest.raises(RuntimeError, match="still open"),
        here.lose_power(random.Random(1)),
    ):
        pass


@pytest.mark.parametrize("fault", ["EIO", "ENOSPC", "short"])
def test_the_nth_operation_fails_once(here: Disk, tmp_path: Path, fault: str) -> None:
    with connect(tmp_path / "store.db") as store:
        here.inject("write", 3, fault)

        with pytest.raises(FencepostError):
            store.queue("mail").enqueue(b"hello")

        assert here.met == 1
        assert store.queue("mail").enqueue(b"hello").status == "accepted"


def test_a_sync_fails_until_the_disk_is_healed(here: Disk, store: Store) -> None:
    here.inject("sync", 1, "EIO", for_ever=True)
    for _ in range(3):
        with pytest.raises((OutcomeUnknown, StoreFailed)):
            store.queue("mail").enqueue(b"hello")
    assert here.met >= 3

    here.heal()

    assert store.queue("mail").enqueue(b"hello").status == "accepted"


def test_something_is_called_at_an_operation(here: Disk, store: Store) -> None:
    called = []
    here.inject(KINDS, 2, lambda: called.append(here.done.total()))
    before = here.done.total()

    store.queue("mail").enqueue(b"hello")

    assert called == [before + 2]


@pytest.fixture
def store(here: Disk, tmp_path: Path) -> Iterator[Store]:
    with connect(tmp_path / "store.db") as opened:
        yield opened


def test_the_disk_is_gone_after_its_block(tmp_path: Path) -> None:
    with disk(recording=True) as here, connect(tmp_path / "store.db"):
        assert {op.kind for op in here.log} >= {"create", "write", "sync"}

    assert "disk" not in apsw.vfs_names()


def test_what_the_harness_does_itself_neither_fails_nor_counts(here: Disk, store: Store) -> None:
    here.inject(KINDS, 1, "EIO", for_ever=True)
    before = here.done.total()

    with here.spared():
        store.queue("mail").enqueue(b"hello")

    assert (here.met, here.done.total()) == (0, before)
