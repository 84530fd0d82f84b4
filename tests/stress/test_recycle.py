"""Pools that replace their workers: a tiny run finds nothing."""

from __future__ import annotations

from fencepost.stress.scenarios.recycle import SCENARIO

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"recycles": 6})

    assert result.findings == []
    assert result.checked["never-short"] > 0
    assert sum(result.faults.values()) >= 6
