"""The scenario that migrates stores and goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import connect
from fencepost.stress.sqlite import future_schema
from fencepost.stress.sqlite.scenarios import upgrade

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(upgrade.SCENARIO, {"processes": 2, "rounds": 1, "kills": 3})

    assert result.findings == []
    assert result.faults == {"killed while it migrates": 3}


@pytest.mark.parametrize(("least", "says"), [(0, "ok"), (1, "version 1, after 0 of 2 steps")])
def test_a_store_of_today_has_taken_no_step_of_the_future(
    tmp_path: Path, least: int, says: str
) -> None:
    connect(tmp_path / "store.db").close()

    assert future_schema.verdict(tmp_path / "store.db", least, 2) == says


def test_a_file_that_comes_goes_or_changes_is_told(tmp_path: Path) -> None:
    for name in ("kept", "changed", "gone"):
        (tmp_path / name).write_text(name)
    before = upgrade.fingerprints(tmp_path)
    (tmp_path / "changed").write_text("other")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_text("new")

    assert upgrade.changed(before, upgrade.fingerprints(tmp_path)) == ["changed", "gone", "new"]
