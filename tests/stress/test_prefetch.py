"""Workers that have claimed ahead are killed or stuck: a tiny run finds nothing."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.pools.apps.ahead import Tries
from fencepost.stress.scenarios.pools.prefetch import SCENARIO

from .tiny import Tiny

_TINY = {"kills": 3, "stucks": 1, "workers": 2, "again": 30, "patience": 60}


# PREFETCH-5, PREFETCH-6
def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, _TINY)

    assert result.findings == []
    assert result.faults == {"worker killed": 3, "handler stuck": 1}
    assert result.checked["not-handled-twice"] >= 400


def test_what_is_half_written_is_read_once_it_is_whole(tmp_path: Path) -> None:
    notes, tries = tmp_path / "begun", Tries(tmp_path)
    tries.look()
    notes.write_text("a 7 1 100\nb 8 1 2")
    tries.look()
    assert tries.of.keys() == {"a"}

    notes.write_text("a 7 1 100\nb 8 1 200\na 8 2 300\n")
    tries.look()

    assert [(each.pid, each.attempt, each.at) for each in tries.of["a"]] == [
        (7, 1, 100),
        (8, 2, 300),
    ]
    assert tries.last[8].key == "a"
    assert tries.begun_by("b", 8)
    assert not tries.begun_by("b", 7)
