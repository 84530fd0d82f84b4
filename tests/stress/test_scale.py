"""Pools that are made large and small: a tiny run finds nothing, and slowness is seen."""

from __future__ import annotations

import pytest

from fencepost.stress.machine.slowness import slowness
from fencepost.stress.scenarios.pools import scale
from fencepost.stress.scenarios.pools.scale import SCENARIO

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"rounds": 1, "few": 1, "many": 3})

    assert result.findings == []
    assert result.checked["scales-in-time"] == 2
    assert result.checked["caps-hold"] > 20
    assert result.faults["SIGTTIN"] == 2


def test_a_pool_that_takes_longer_than_its_bound_is_found(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "_TIMES", 0.0)

    result = tiny(SCENARIO, {"rounds": 1, "few": 1, "many": 3})

    assert [found.what for found in result.findings] == [
        "not 3 workers after 0.0 s",
        "not 1 workers after 0.0 s",
    ]


def test_nothing_takes_less_time_than_by_itself() -> None:
    assert slowness() >= 1
