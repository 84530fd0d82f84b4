"""Pools that replace their workers: a tiny run finds nothing."""

from __future__ import annotations

from fencepost.stress.scenarios.pools.recycle import SCENARIO

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"recycles": 6})

    assert result.findings == []
    assert result.checked["never-short"] > 0
    assert sum(result.faults.values()) >= 6
    looks = result.checked["never-short"]
    assert result.says == (
        f"{sum(result.faults.values())} workers replaced, too few at work in 0 of {looks} looks"
    )


def test_workers_that_leave_too_early_are_in_the_words(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"recycles": 6}, canary="leaves-first")

    assert "never-short" in {found.invariant for found in result.findings}
    assert "workers replaced, too few at work in " in result.says
    assert " 0 of " not in result.says
