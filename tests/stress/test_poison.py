"""Poisoned pools: a tiny run finds nothing."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios.poison import SCENARIO

_TINY = {
    "burials": 1,
    "workers": 3,
    "lease": 3,
    "leases": 1.4,
    "kills": 4,
    "pairs": 1,
    "kept": 0,
    "patience": 60,
}


def test_a_tiny_run_finds_nothing(tmp_path: Path) -> None:
    result = Result("poison", seed=1)
    run = Run(result, tmp_path, _TINY)

    try:
        SCENARIO.run(run)
    finally:
        for child in run.children:
            child.kill()

    assert result.findings == []
    assert result.checked["poison-is-buried"] == 6
    assert result.faults["innocent's worker killed"] == 4
