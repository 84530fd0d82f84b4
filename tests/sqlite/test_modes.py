"""Whoever may not read a store's owner's files may not read the store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import connect

NAMES = {
    "store.db",
    *(f"store.db-{end}" for end in ("wal", "shm", "gate", "wakeup", "alive", "ballast")),
}


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in folder.iterdir()}


# P17, S11, KV-9
@pytest.mark.usefixtures("umask")
def test_a_new_store_and_all_beside_it_are_the_owners_alone(tmp_path: Path) -> None:
    with connect(tmp_path / "store.db") as store:
        store.queue("mail").enqueue(b"hello")

        assert _modes(tmp_path) == dict.fromkeys(NAMES, 0o600)


# P17, S11, KV-9
@pytest.mark.usefixtures("umask")
def test_a_store_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    first = connect(tmp_path / "store.db")
    first.queue("mail").enqueue(b"hello")
    for path in tmp_path.iterdir():
        path.chmod(0o644)

    with connect(tmp_path / "store.db") as store:
        store.queue("mail").enqueue(b"hello")

        assert _modes(tmp_path) == dict.fromkeys(NAMES, 0o600)
    first.close()


def test_sidecars_of_a_store_that_could_not_be_written_for_a_while_can_be_again(
    tmp_path: Path,
) -> None:
    first = connect(tmp_path / "store.db")
    for path in tmp_path.iterdir():
        path.chmod(0o400)
    (tmp_path / "store.db").chmod(0o600)

    connect(tmp_path / "store.db").close()

    assert _modes(tmp_path)["store.db-shm"] == _modes(tmp_path)["store.db-wal"] == 0o600
    first.close()


# P17
@pytest.mark.usefixtures("umask")
def test_sidecars_made_for_a_store_that_others_could_read_are_closed_too(tmp_path: Path) -> None:
    connect(tmp_path / "store.db").close()
    (tmp_path / "store.db").chmod(0o666)

    with connect(tmp_path / "store.db") as store:
        store.queue("mail").enqueue(b"hello")

        assert _modes(tmp_path) == dict.fromkeys(NAMES, 0o600)


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_the_mode_of_the_folder_is_left_as_it_is(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)

    connect(tmp_path / "store.db").close()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode
