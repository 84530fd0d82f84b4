"""The scenario in which dead workers' pids come again."""

from __future__ import annotations

import pytest

from fencepost.stress.scenarios.pools import pids

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(pids.SCENARIO, {"reuses": 3})

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.findings == []
    assert result.faults == {"pid given to another": 3}
    answers = result.checked["dead-is-dead"]
    assert result.says == (
        f"3 dead workers' pids given to others, 0 of {answers} answers about them wrong"
    )


def test_dead_workers_that_are_taken_for_alive_are_in_the_words(tiny: Tiny) -> None:
    result = tiny(pids.SCENARIO, {"reuses": 3}, canary="believes-pids")

    if result.skipped:
        pytest.skip(result.skipped)
    answers = result.checked["dead-is-dead"]
    wrong = sum(found.invariant == "dead-is-dead" for found in result.findings)
    assert wrong > 0
    assert result.says == (
        f"1 dead workers' pids given to others, {wrong} of {answers} answers about them wrong"
    )
