"""The scenario in which all want the same keys."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios import claims


def test_a_small_run_finds_nothing(tmp_path: Path) -> None:
    result = Result("claims", seed=1)
    size = {"processes": 2, "keys": 40, "kills": 1, "late_each": 40, "rounds": 1}

    claims.run(Run(result, tmp_path, size))

    assert result.findings == []
    assert result.checked["accepted-once"] == 40
    assert result.checked["effects-once"] == 40
