"""Poisoned pools: a tiny run finds nothing."""

from __future__ import annotations

from fencepost.stress.scenarios.pools.poison import SCENARIO, share

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


def test_a_window_in_which_nothing_was_handled_is_judged_as_well() -> None:
    assert share(2, 4) == 0.5
    assert share(0, 0) == 0
    assert share(1, 0) > 1
