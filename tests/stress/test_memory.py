"""The scenario in which memory runs out, at its smallest."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.records.history import read
from fencepost.stress.sqlite.scenarios import memory

from .tiny import Tiny


def test_calls_run_out_of_memory_and_nothing_is_found(tmp_path: Path, tiny: Tiny) -> None:
    result = tiny(memory.SCENARIO, {"processes": 1, "starved": 10})

    assert result.findings == []
    errors = [call.answer["error"] for call in read(tmp_path / "history") if "error" in call.answer]
    assert len(errors) >= 10
    assert set(errors) <= {"store_failed", "outcome_unknown"}
