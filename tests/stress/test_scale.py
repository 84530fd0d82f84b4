"""Pools that are made large and small: a tiny run finds nothing, and slowness is seen."""

from __future__ import annotations

from fencepost.stress.scenarios.scale import SCENARIO
from fencepost.stress.slowness import slowness

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"rounds": 1, "few": 1, "many": 3})

    assert result.findings == []
    assert result.checked["scales-in-time"] == 2
    assert result.checked["caps-hold"] > 20
    assert result.faults["SIGTTIN"] == 2


def test_nothing_takes_less_time_than_by_itself() -> None:
    assert slowness() >= 1
