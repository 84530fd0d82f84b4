"""Folders in which others may write, and the private one that is made in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fencepost import StoreOpenFailed, connect
from fencepost.store.connect import make_folder


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume, as Kubernetes mounts one."""
    made = tmp_path / "volume"
    made.mkdir()
    return made


# OPS-3
@pytest.mark.parametrize("mode", [0o777, 0o2777, 0o2775, 0o2770])
def test_a_volume_in_which_others_may_write_is_refused_with_the_cure(
    volume: Path, mode: int
) -> None:
    volume.chmod(mode)

    with pytest.raises(StoreOpenFailed, match="--make-folder") as refused:
        connect(volume / "hooks.db")

    assert f"{mode:04o}" in str(refused.value)
    assert refused.value.path == str(volume / "hooks.db")
    assert list(volume.iterdir()) == []


# OPS-4
@pytest.mark.parametrize("mode", [0o777, 0o2775])
def test_the_folder_made_in_a_volume_is_private_and_found_from_then_on(
    volume: Path, mode: int
) -> None:
    volume.chmod(mode)

    made = make_folder(volume / "hooks.db")

    assert made == str(volume / "fencepost" / "hooks.db")
    assert stat.S_IMODE((volume / "fencepost").lstat().st_mode) == 0o700
    assert _mode(volume) == mode
    with connect(volume / "hooks.db") as store:
        assert store.engine.identity.address == made
    assert make_folder(volume / "hooks.db") == made  # twice is as good as once


# OPS-4
def test_a_missing_folder_is_an_error_and_made_when_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StoreOpenFailed, match="does not exist"):
        connect(tmp_path / "new" / "hooks.db")

    assert make_folder(tmp_path / "new" / "hooks.db") == str(tmp_path / "new" / "hooks.db")

    assert _mode(tmp_path / "new") == 0o700


# OPS-4
def test_a_folder_that_is_safe_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    assert make_folder(tmp_path / "hooks.db") == str(tmp_path / "hooks.db")

    assert _mode(tmp_path) == 0o750
    assert list(tmp_path.iterdir()) == []


# OPS-4
@pytest.mark.parametrize("kind", ["link", "file", "open"])
def test_what_another_has_put_in_the_place_of_the_private_folder_is_refused(
    volume: Path, tmp_path: Path, kind: str
) -> None:
    volume.chmod(0o777)
    private, elsewhere = volume / "fencepost", tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    if kind == "link":
        private.symlink_to(elsewhere)
    elif kind == "file":
        private.touch()
    else:
        private.mkdir()
        private.chmod(0o777)

    with pytest.raises(StoreOpenFailed):
        make_folder(volume / "hooks.db")
    with pytest.raises(StoreOpenFailed):
        connect(volume / "hooks.db")

    assert list(elsewhere.iterdir()) == []


def test_a_folder_of_a_group_with_one_member_will_do(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, os.getegid())
    tmp_path.chmod(0o775)

    connect(tmp_path / "hooks.db").close()

    assert _mode(tmp_path) == 0o775
