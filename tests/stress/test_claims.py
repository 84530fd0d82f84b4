"""The scenario in which all want the same keys."""

from __future__ import annotations

from fencepost.stress.scenarios.store import claims

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    size = {"processes": 2, "keys": 40, "kills": 1, "late_each": 40, "rounds": 1}

    result = tiny(claims.SCENARIO, size)

    assert result.findings == []
    assert result.checked["accepted-once"] == 40
    assert result.checked["effects-once"] == 40
