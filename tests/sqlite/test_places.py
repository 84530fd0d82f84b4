"""Where a store may lie: each bad place is refused by a typed error, and left as it was."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fencepost import FencepostError, InvalidInput, StoreOpenFailed, connect
from fencepost.store.sqlite.file import paths

SIDECARS = ("-wal", "-shm", "-gate", "-wakeup", "-alive", "-ballast", "-recovered")


def _refused(path: str | Path, kind: type[FencepostError] = StoreOpenFailed) -> FencepostError:
    with pytest.raises(kind) as caught:
        connect(path)
    assert caught.value.code == kind.code
    assert caught.value.operation == "open"
    return caught.value


def _victim(folder: Path) -> Path:
    victim = folder / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o644)
    return victim


def _is_untouched(victim: Path) -> bool:
    return victim.read_bytes() == b"precious" and stat.S_IMODE(victim.stat().st_mode) == 0o644


# P19, S9, COMMIT-12
@pytest.mark.parametrize(
    "path", ["", ":memory:", "file:x", "file:/x?mode=memory", "a\0b", "\udcff"]
)
def test_what_names_no_file_is_invalid_input(path: str) -> None:
    _refused(path, InvalidInput)


@pytest.mark.parametrize("address", [None, 5, b"store.db"])
def test_what_is_no_path_is_invalid_input(address: Any) -> None:
    with pytest.raises(InvalidInput):
        connect(address)


@pytest.mark.parametrize("path", ["/", "/.."])
def test_a_path_without_a_last_part_is_refused(path: str) -> None:
    _refused(path)


def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "store.db"

    error = _refused(path)

    assert error.path == str(path)
    assert not path.parent.exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    victim = _victim(tmp_path)

    _refused(victim / "store.db")

    assert _is_untouched(victim)


def test_a_name_too_long_for_its_sidecars_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / ("x" * 252))


def test_a_folder_too_deep_to_name_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / ("x" * 300) / "store.db")


def test_a_folder_that_takes_no_files_is_refused() -> None:
    _refused("/proc/store.db")


# S11
def test_a_folder_in_which_anyone_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    _refused(tmp_path / "store.db")

    assert list(tmp_path.iterdir()) == []


def test_a_sticky_folder_in_which_anyone_may_write_will_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    connect(tmp_path / "store.db").close()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


# P15, S11
def test_a_symbolic_link_is_refused_and_its_target_untouched(tmp_path: Path) -> None:
    victim = _victim(tmp_path)
    (tmp_path / "store.db").symlink_to(victim)

    _refused(tmp_path / "store.db")

    assert _is_untouched(victim)


# P15
def test_a_dangling_symbolic_link_is_refused_and_its_target_not_made(tmp_path: Path) -> None:
    (tmp_path / "store.db").symlink_to(tmp_path / "target")

    _refused(tmp_path / "store.db")

    assert not (tmp_path / "target").exists()


def test_a_folder_reached_by_a_symbolic_link_is_taken_by_its_real_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with connect(tmp_path / "link" / "store.db") as store:
        assert store.engine.identity.address == str(tmp_path / "real" / "store.db")


# P16, S11
def test_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    victim = _victim(tmp_path)
    os.link(victim, tmp_path / "store.db")

    _refused(tmp_path / "store.db")

    assert _is_untouched(victim)


def test_a_folder_as_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()

    _refused(tmp_path / "store.db")


def test_a_fifo_as_the_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "store.db")

    _refused(tmp_path / "store.db")


# P15
@pytest.mark.parametrize("suffix", SIDECARS)
def test_a_symbolic_link_in_place_of_a_sidecar_is_refused(tmp_path: Path, suffix: str) -> None:
    victim = _victim(tmp_path)
    (tmp_path / f"store.db{suffix}").symlink_to(victim)

    _refused(tmp_path / "store.db")

    assert _is_untouched(victim)


# P15
@pytest.mark.parametrize("suffix", SIDECARS)
def test_a_dangling_link_in_place_of_a_sidecar_is_refused_and_its_target_not_made(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / f"store.db{suffix}").symlink_to(tmp_path / "target")

    _refused(tmp_path / "store.db")

    assert not (tmp_path / "target").exists()


# P15
@pytest.mark.parametrize("suffix", SIDECARS)
def test_a_link_in_place_of_a_sidecar_of_an_open_store_is_not_followed(
    tmp_path: Path, suffix: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    victim, sidecar = _victim(tmp_path), folder / f"store.db{suffix}"
    with connect(folder / "store.db") as store:
        queue = store.queue("mail")
        queue.enqueue(b"before")
        sidecar.unlink(missing_ok=True)
        sidecar.symlink_to(victim)

        calls: list[Callable[[], object]] = [
            lambda: queue.enqueue(b"x" * 100_000),
            queue.claim,
            store.engine.upkeep.tick,
        ]
        for call in calls:
            with contextlib.suppress(FencepostError):
                call()

    assert _is_untouched(victim)


@pytest.mark.parametrize("suffix", SIDECARS)
def test_a_folder_in_place_of_a_sidecar_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"store.db{suffix}").mkdir()

    _refused(tmp_path / "store.db")


def test_a_plain_file_in_place_of_the_bell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db-wakeup").write_bytes(b"precious")

    _refused(tmp_path / "store.db")

    assert (tmp_path / "store.db-wakeup").read_bytes() == b"precious"


def test_a_refused_opening_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "store.db-alive").mkdir()
    before = sorted(os.listdir("/proc/self/fd"))

    _refused(tmp_path / "store.db")

    assert sorted(os.listdir("/proc/self/fd")) == before


def test_without_create_a_missing_store_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreOpenFailed):
        connect(tmp_path / "store.db", create=False)

    assert list(tmp_path.iterdir()) == []


# P18, WAL-6
@pytest.mark.parametrize(
    ("magic", "kind"), [(0x6969, "nfs"), (0xFF534D42, "cifs"), (0x01021997, "9p"), (0xEF53, None)]
)
def test_a_network_file_system_is_known_by_its_number(
    tmp_path: Path, magic: int, kind: str | None
) -> None:
    assert paths.network_filesystem(str(tmp_path), magic=magic) == kind
