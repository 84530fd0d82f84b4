"""The scenario that abuses a store's files."""

from __future__ import annotations

from pathlib import Path

from fencepost import connect
from fencepost.stress.sqlite import rot
from fencepost.stress.sqlite.scenarios import files

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(files.SCENARIO, {"remounts": 2, "rots": 3, "wal_rots": 1})

    assert result.findings == []
    assert result.faults["bit damaged"] == 1
    remounts = (n for kind, n in result.faults.items() if kind.startswith("file system"))
    assert sum(remounts) == 2


def test_what_comes_out_of_a_store_is_held_against_what_went_in(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with connect(path) as store:
        store.queue("mail").enqueue(b"right", key="0")
        store.queue("mail").enqueue(b"wrong", key="1")
    kept: list[str] = []

    noticed, wrong = rot.read_all(path, {"0": b"right", "1": b"other"}, kept)

    assert (noticed, wrong, kept) == (True, ["1"], ["0"])


def test_a_missing_message_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with connect(path) as store:
        store.queue("mail").enqueue(b"right", key="0")

    assert rot.read_all(path, {"0": b"right"}) == (False, [])
    assert rot.read_all(path, {"0": b"right", "1": b"other"}) == (True, [])
