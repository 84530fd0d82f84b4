"""Failing operations of the disk: what is tried, and a short run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fencepost.stress.sqlite.disk.disk import disk
from fencepost.stress.sqlite.disk.errors import ERRORS
from fencepost.stress.sqlite.scenarios import io
from fencepost.stress.sqlite.script.faulted import Work

from .tiny import Tiny


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with disk() as here:
        yield Work(here, tmp_path / "store.db", "seed", 9)


def test_every_operation_fails_in_every_way_once_and_for_ever(work: Work) -> None:
    points = work.points()

    assert len(points) == 2 * sum(len(ways) * work.done[kind] for kind, ways in ERRORS.items())
    assert len(set(points)) == len(points)
    assert all(work.done[kind] for kind in ERRORS)


def test_a_process_is_killed_at_the_operation_that_was_asked_for(work: Work) -> None:
    for nth in (1, work.done.total()):
        work.kill(nth)

    assert work.met == {"SIGKILL": 2}
    assert work.found == []


def test_a_commit_that_failed_is_found_and_repeated(work: Work) -> None:
    work.come_back(work.done["sync"] - 2)

    assert work.met == {"sync that came back": 1}
    assert work.found == []


def test_power_is_lost_after_a_sync_that_failed(work: Work) -> None:
    work.lose_power(work.done["sync"] - 2, Random(1))

    assert work.met["failed sync, then power loss"] >= 3
    assert work.found == []


def test_nothing_is_found_in_a_short_run(tiny: Tiny) -> None:
    size = {"processes": 1, "workloads": 1, "steps": 5, "every": 40, "kills": 1}
    result = tiny(io.SCENARIO, size)

    assert result.findings == []
    assert result.faults["EIO"] > 0
    assert result.checked["same-answer"] > 0
