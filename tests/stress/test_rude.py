"""Handlers that do as they like with their process: a tiny run finds nothing."""

from __future__ import annotations

from fencepost.stress.scenarios.pools.rude import SCENARIO

from .tiny import Tiny


# RUDE-1
def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"workers": 2, "seconds": 1, "patience": 90})

    assert result.findings == []
    assert result.checked["effects-once"] > 0
    assert result.checked["log-is-json"] > 0
    assert sum(result.faults.values()) > 0


# RUDE-1
def test_what_is_not_put_back_is_found(tiny: Tiny) -> None:
    size = {"workers": 2, "seconds": 1, "patience": 8}
    result = tiny(SCENARIO, size, canary="state-not-put-back")

    assert "process-as-it-was" in {found.invariant for found in result.findings}
