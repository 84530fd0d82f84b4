"""Poisoned pools: a tiny run finds nothing."""

from __future__ import annotations

from fencepost.stress.scenarios.poison import SCENARIO

from .tiny import Tiny

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


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, _TINY)

    assert result.findings == []
    assert result.checked["poison-is-buried"] == 6
    assert result.faults["innocent's worker killed"] == 4
