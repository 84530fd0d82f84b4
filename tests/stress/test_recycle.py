"""Pools that replace their workers: a tiny run finds nothing."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios.recycle import SCENARIO


def test_a_tiny_run_finds_nothing(tmp_path: Path) -> None:
    result = Result("recycle", seed=1)
    run = Run(result, tmp_path, {"recycles": 6})

    try:
        SCENARIO.run(run)
    finally:
        for child in run.children:
            child.kill()

    assert result.findings == []
    assert result.checked["never-short"] > 0
    assert sum(result.faults.values()) >= 6
