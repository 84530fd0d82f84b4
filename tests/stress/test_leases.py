"""The scenario in which many want a few named leases."""

from __future__ import annotations

from fencepost.stress.scenarios.store import leases

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    size = {"processes": 2, "names": 2, "seconds": 1, "killed": 0.5}

    result = tiny(leases.SCENARIO, size)

    assert result.findings == []
    assert result.checked["one-holder"] > 0
    assert sum(result.faults.values()) > 0
