"""The scenario in which dead workers' pids come again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios import pids


def test_a_small_run_finds_nothing(tmp_path: Path) -> None:
    result = Result("pids", seed=1)

    pids.run(Run(result, tmp_path, {"reuses": 3}))

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.findings == []
    assert result.faults == {"pid given to another": 3}
