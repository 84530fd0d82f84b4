"""The scenario in which writers are stopped."""

from __future__ import annotations

from fencepost.stress.sqlite.scenarios import stopped

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(stopped.SCENARIO, {"writers": 3})

    assert result.findings == []
    assert result.checked["busy-in-time"] == 2
    assert result.checked["waits-bounded"] == 4
