"""The scenario in which many want a few named leases."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios import leases


def test_a_small_run_finds_nothing(tmp_path: Path) -> None:
    result = Result("leases", seed=1)
    size = {"processes": 2, "names": 2, "seconds": 1, "killed": 0.5}

    leases.run(Run(result, tmp_path, size))

    assert result.findings == []
    assert result.checked["one-holder"] > 0
    assert sum(result.faults.values()) > 0
