"""Webhooks to a receiver that misbehaves, while both sides are killed: a tiny run finds nothing."""

from __future__ import annotations

from fencepost.stress.scenarios.outbox import SCENARIO

from .tiny import Tiny

_TINY = {"sends": 60, "kills": 3, "workers": 1, "patience": 120}


# OUTBOX-22, OUTBOX-18
def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, _TINY)

    assert result.findings == []
    assert sum(result.faults.values()) == 3
    assert result.figures["attempts"] > 60
