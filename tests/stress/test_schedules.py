"""The scenario in which pools enqueue for schedules, and its canary."""

from __future__ import annotations

from fencepost.stress.scenarios.pools import schedules

from .tiny import Tiny


# CRON-3, CRON-4
def test_a_small_run_finds_nothing_over_both_changes_of_the_clock(tiny: Tiny) -> None:
    result = tiny(schedules.SCENARIO, {"pools": 2, "quarters": 45})

    assert result.findings == []
    assert result.checked["ticks-once"] == result.figures["messages"] > 60


def test_a_key_that_is_no_planned_time_is_noticed(tiny: Tiny) -> None:
    result = tiny(schedules.SCENARIO, {"pools": 2, "quarters": 3}, canary="double-tick")

    assert {finding.invariant for finding in result.findings} == {"ticks-once"}
