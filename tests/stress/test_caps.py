"""The scenario that fills what has a cap."""

from __future__ import annotations

from pathlib import Path

from fencepost import connect
from fencepost.stress.scenarios.store import caps
from fencepost.stress.sqlite.census import Census

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(caps.SCENARIO, {"processes": 2, "seconds": 0.5})

    assert result.findings == []
    assert result.figures["snapshots"] > 0


def test_a_census_counts_what_has_a_cap_and_no_more(tmp_path: Path) -> None:
    with connect(tmp_path / "store.db") as store:
        store.queue("mail", max_rows=10, max_bytes=100)
        store.queue("free").enqueue(b"not counted")
        for n in range(3):
            store.queue("mail").enqueue(b"12345", key=f"{n}")
        store.queue("mail").claim()[0].ack()
        store.keyed("app", "seen", max_entries=5, owner_max_entries=7).register("a", 1)
        census = Census(tmp_path / "store.db")

        counted = {what: (cap, rows) for what, cap, rows in census.capped()}

        assert counted == {
            "deliveries of mail": (10, 2),
            "bytes of mail": (100, 10),
            "entries of app/seen": (5, 1),
            "entries of app": (7, 1),
        }
        assert census.miscounted() == []
        census.close()
