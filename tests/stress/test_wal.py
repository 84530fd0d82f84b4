"""The WAL beside readers: a tiny run finds nothing, and a forgotten reader is named."""

from __future__ import annotations

import pytest

from fencepost.stress.sqlite.scenarios import wal
from fencepost.stress.sqlite.scenarios.wal import SCENARIO

from .tiny import Tiny


def test_a_tiny_run_finds_nothing_but_what_the_machine_makes_wait(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"rounds": 1, "writes": 200, "large_writes": 300})

    assert [found for found in result.findings if found.invariant != "waits-bounded"] == []
    assert result.checked["alarm-raised"] == 2
    assert result.figures["reads"] > 0
    assert result.figures["wal_behind_stuck_reader_bytes"] > 16 * 2**20


def test_a_write_is_held_to_what_the_disk_does_without_readers_but_not_without_end() -> None:
    assert wal.bound_ms(0.1, 0) == wal.BOUND_MS
    assert wal.bound_ms(0.1, 100) == wal.BOUND_MS + 300
    assert wal.bound_ms(20, 0) == 40 * wal.BOUND_MS
    # Below the stall that the fault too-patient plants.
    assert wal.bound_ms(5, 60_000) < 1600


def test_the_bound_of_the_wal_is_scaled_by_the_reads_but_not_without_end(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "_USUAL_DELAY", 0.01)
    monkeypatch.setattr(wal, "BOUND_BYTES", 100)

    result = tiny(SCENARIO, {"rounds": 1, "writes": 20, "large_writes": 1})

    assert any("the bound is 250" in found.what for found in result.findings)
