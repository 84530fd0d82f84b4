"""The file is taken from under an open store: nothing more is acknowledged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fencepost import Queue, Store, StoreFailed, connect

from .inside import ask


def _move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def _unlink(path: Path) -> None:
    path.unlink()


def _replace_by_copy(path: Path) -> None:
    # A copy made in this process would drop the locks that SQLite holds on the file.
    other = path.with_name("other.db")
    connect(other).close()
    other.replace(path)


def _replace_by_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    path.symlink_to(path.with_name("elsewhere.db"))


TAKEN = pytest.mark.parametrize("take", [_move, _unlink, _replace_by_copy, _replace_by_link])


# P14, WAL-9
@TAKEN
def test_the_next_write_is_refused(
    store: Store, queue: Queue, address: str, take: Callable[[Path], None]
) -> None:
    queue.enqueue(b"before", key="before")
    (claim,) = queue.claim()

    take(Path(address))

    for call in (lambda: queue.enqueue(b"after"), queue.claim, claim.ack, lambda: store.cancel(1)):
        with pytest.raises(StoreFailed, match="moved or replaced") as caught:
            call()
        assert caught.value.path == address


# P14
@TAKEN
def test_a_probe_says_so(store: Store, address: str, take: Callable[[Path], None]) -> None:
    take(Path(address))

    report = store.probe()

    assert "write" in [step.name for step in report.steps if not step.ok]


# P14, WAL-9
def test_nothing_is_written_to_the_file_put_in_its_place(
    store: Store, queue: Queue, address: str
) -> None:
    _replace_by_copy(Path(address))
    with pytest.raises(StoreFailed):
        queue.enqueue(b"after")

    assert ask(address, "select count(*) from fp_message") == [(0,)]


@TAKEN
def test_a_store_put_back_goes_on(
    store: Store, queue: Queue, address: str, take: Callable[[Path], None]
) -> None:
    queue.enqueue(b"before", key="before")
    kept = Path(address).with_name("kept.db")
    kept.hardlink_to(address)
    take(Path(address))
    with pytest.raises(StoreFailed):
        queue.enqueue(b"hello", key="refused")
    for name in (address, Path(address).with_name("elsewhere.db")):
        Path(name).unlink(missing_ok=True)
    kept.rename(address)

    assert queue.enqueue(b"hello", key="after").status == "accepted"
    assert ask(address, "select key from fp_message order by id") == [("before",), ("after",)]


# P14
def test_a_store_whose_folder_is_gone_takes_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with connect(tmp_path / "folder" / "store.db") as store:
        shutil.move(tmp_path / "folder", tmp_path / "elsewhere")

        for call in (lambda: store.queue("mail").enqueue(b""), store.queue("mail").claim):
            with pytest.raises(StoreFailed, match="moved or replaced"):
                call()
        tick = store.engine.upkeep.tick()
        assert tick is not None
        assert tick.outcome == "failed"
        shutil.move(tmp_path / "elsewhere", tmp_path / "folder")
