"""The scenario that opens a store from many processes at once."""

from __future__ import annotations

from pathlib import Path

from fencepost import connect
from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios import open
from fencepost.stress.sqlite.mortal import mortal_disk


def test_a_small_run_finds_nothing(tmp_path: Path) -> None:
    result = Result("open", seed=1)
    size = {"processes": 2, "rounds": 2, "recoveries": 1, "kills": 2, "wal_mb": 2}

    open.run(Run(result, tmp_path, size))

    assert result.findings == []
    assert result.faults == {"killed while making a store": 3, "killed with a large WAL": 1}


def test_a_mortal_disk_counts_what_changes_files(tmp_path: Path) -> None:
    with mortal_disk() as disk, connect(tmp_path / "store.db") as store:
        opened = disk.done
        store.queue("mail").enqueue(b"hello")

    assert 0 < opened < disk.done
