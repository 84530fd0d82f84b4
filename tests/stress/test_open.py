"""The scenario that opens a store from many processes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import connect
from fencepost.stress.sqlite.disk import killed
from fencepost.stress.sqlite.scenarios import open

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    size = {"processes": 2, "rounds": 2, "recoveries": 1, "kills": 2, "wal_mb": 2}

    result = tiny(open.SCENARIO, size)

    assert result.findings == []
    assert result.faults == {"killed while making a store": 3, "killed with a large WAL": 1}


def test_work_is_killed_at_each_operation_that_changes_a_file(tmp_path: Path) -> None:
    def make(name: str) -> None:
        (tmp_path / name).mkdir()
        connect(tmp_path / name / "store.db").close()

    operations = killed.count(make, "counted")

    assert operations > 10
    killed.kill_at(1, make, "first")
    killed.kill_at(operations, make, "last")
    with pytest.raises(AssertionError):
        killed.kill_at(operations + 1, make, "none")
