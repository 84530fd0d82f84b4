"""The scenario in which memory runs out, at its smallest."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.history import read
from fencepost.stress.report import Result
from fencepost.stress.run import Run
from fencepost.stress.scenarios import memory


def test_calls_run_out_of_memory_and_nothing_is_found(tmp_path: Path) -> None:
    result = Result("memory", 1)

    memory.run(Run(result, tmp_path, {"processes": 1, "starved": 10}))

    assert result.findings == []
    errors = [call.answer["error"] for call in read(tmp_path / "history") if "error" in call.answer]
    assert len(errors) >= 10
    assert set(errors) <= {"store_failed", "outcome_unknown"}
