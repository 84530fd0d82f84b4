"""Which file is at a path, and how long it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fencepost.store.sqlite.file import status


@pytest.fixture(params=["statx", "a kernel that refuses statx", "no statx"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "a kernel that refuses statx":
        monkeypatch.setattr(status, "_statx", lambda *_: -1)
    elif request.param == "no statx":
        monkeypatch.setattr(status, "_statx", None)


@pytest.mark.usefixtures("_way")
def test_a_look_finds_what_lstat_finds(tmp_path: Path) -> None:
    file, link = tmp_path / "a file \u00e9", tmp_path / "link"
    file.write_bytes(b"x" * 5000)
    link.symlink_to(file)

    for path in (file, link, tmp_path):
        found = path.lstat()
        assert status.look(os.fsencode(path)) == ((found.st_dev, found.st_ino), found.st_size)


@pytest.mark.usefixtures("_way")
def test_a_look_says_why_it_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileNotFoundError):
        status.look(os.fsencode(tmp_path / "none"))
    with pytest.raises(NotADirectoryError):
        status.look(os.fsencode(tmp_path / "file" / "below"))
