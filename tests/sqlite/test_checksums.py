"""Page checksums: a flipped bit is an error, whoever opens the store."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import apsw
import apsw.sqlite_extra
import pytest

from fencepost import FencepostError, StoreCorrupt, StoreOpenFailed, connect
from fencepost.store.sqlite.file import checksums

from .inside import ask, connection

PAGE = 4096


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A store with checksums that nobody has open."""
    path = tmp_path / "store.db"
    with connect(path, checksums=True) as store:
        queue = store.queue("mail")
        queue.enqueue_many([{"body": os.urandom(900), "key": f"{n}"} for n in range(100)])
        for claim in queue.claim(limit=20):
            claim.bury("no")  # and not ack, which would leave pages that nothing is in
    return path


def _is_found(path: Path) -> bool:
    """Open and read the whole store; True when an error says that it is damaged."""
    try:
        with connect(path, create=False) as store:
            for delivery in store.deliveries(limit=1000):
                store.content(delivery.id)
            return not store.engine.upkeep.integrity().ok
    except StoreCorrupt:
        return True


def test_every_flipped_bit_is_found(made: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    pages = made.stat().st_size // PAGE
    bits = [
        (n % pages * PAGE + chance.randrange(100, PAGE), chance.randrange(8)) for n in range(50)
    ]
    assert not _is_found(made)

    for offset, bit in bits:
        damaged = tmp_path / f"{offset}-{bit}.db"
        shutil.copy(made, damaged)
        with damaged.open("r+b") as file:
            file.seek(offset)
            (byte,) = file.read(1)
            file.seek(offset)
            file.write(bytes([byte ^ 1 << bit]))

        assert _is_found(damaged), (offset, bit)


def test_every_later_opening_has_them_unasked(made: Path) -> None:
    with connect(made) as store:
        assert connection(store).pragma("checksum_verification") == "1"
        store.queue("mail").enqueue(b"more", key="more")

    assert not _is_found(made)
    with connect(made, checksums=True) as store:
        assert store.queue("mail").enqueue(b"more", key="more").status == "duplicate"


def test_a_backup_has_them_too(made: Path) -> None:
    copy = made.with_name("copy.db")
    with connect(made) as store:
        store.backup(copy)

    assert not _is_found(copy)
    with connect(copy) as store:
        assert connection(store).pragma("checksum_verification") == "1"


def test_a_store_made_without_cannot_be_given_them(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connect(path).close()
    before = path.read_bytes()

    with pytest.raises(StoreOpenFailed, match="without checksums"):
        connect(path, checksums=True)

    assert path.read_bytes() == before


def test_where_there_is_no_shim_the_store_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise LookupError("cksumvfs")

    monkeypatch.setattr(apsw, "vfs_names", lambda: ["unix"])
    monkeypatch.setattr(apsw.sqlite_extra, "load", missing)
    before = made.read_bytes()

    with pytest.raises(FencepostError, match="needs page checksums") as caught:
        connect(made)

    assert caught.value.code == "store_open_failed"
    assert made.read_bytes() == before


def test_a_store_without_them_is_as_before(tmp_path: Path) -> None:
    checksums.load("any")

    with connect(tmp_path / "store.db") as store:
        assert connection(store).open_vfs == "unix"
        assert not checksums.has(connection(store))

    assert ask(tmp_path / "store.db", "pragma integrity_check") == [("ok",)]
