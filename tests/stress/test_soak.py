"""Long runs: what grows is seen, and a tiny run finds nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fencepost import connect
from fencepost.stress import usage
from fencepost.stress.report import Result
from fencepost.stress.scenarios.soak import SCENARIO
from fencepost.stress.usage import Usage

from .tiny import Tiny


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, {"processes": 5, "seconds": 1})

    assert result.findings == []
    assert result.checked["effects-once"] > 0
    assert result.figures["descriptors_most"] > 3


def _usage(tmp_path: Path) -> Usage:
    connect(tmp_path / "store.db").close()
    return Usage(tmp_path / "store.db", lambda: [("this", os.getpid())])


def test_descriptors_that_are_left_open_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny
) -> None:
    monkeypatch.setattr(usage, "MOST_DESCRIPTORS", 10_000)
    found, use, opened = Result("soak", seed=1), _usage(tmp_path), []
    for _ in range(30):
        opened.append(os.open(tmp_path, os.O_RDONLY))
        use.sample()
    for fd in opened:
        os.close(fd)

    use.judge(tiny.run(found))

    assert [finding.invariant for finding in found.findings] == ["bounded"]
    assert "descriptors" in found.findings[0].what


def test_what_stays_as_it_is_is_within_its_bounds(tmp_path: Path, tiny: Tiny) -> None:
    found, use = Result("soak", seed=1), _usage(tmp_path)
    for _ in range(9):
        use.sample()

    use.judge(tiny.run(found))

    assert found.findings == []
    assert use.charts()[0].title == "Memory of the largest process"
