"""The WAL beside readers: a tiny run finds nothing, and a forgotten reader is named."""

from __future__ import annotations

from fencepost.stress.scenarios.wal import SCENARIO

from .tiny import Tiny


def test_a_tiny_run_finds_nothing_but_what_the_machine_makes_wait(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"rounds": 1, "writes": 200, "large_writes": 300})

    assert [found for found in result.findings if found.invariant != "waits-bounded"] == []
    assert result.checked["alarm-raised"] == 2
    assert result.figures["reads"] > 0
    assert result.figures["wal_behind_stuck_reader_bytes"] > 16 * 2**20
