"""The scenario that fills small disks, and the disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fencepost import OutcomeUnknown, StoreFull, connect
from fencepost.store.sqlite.file import space
from fencepost.stress.harness.child_processes import Me
from fencepost.stress.records.report import Result
from fencepost.stress.sqlite.disk.quota import quota
from fencepost.stress.sqlite.scenarios import disk

from .tiny import Tiny

MB = 1024 * 1024


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    size = {"processes": 1, "disks": 1, "most_mb": 2, "least_body": 3000}

    result = tiny(disk.SCENARIO, size)

    assert result.findings == []
    assert result.figures["stored_messages"] > 10


def _say(me: Me) -> None:
    me.ready()
    me.ready(stored=1)
    me.ready(stored=2)


def test_a_disk_is_waited_for_as_long_as_its_filler_gets_on(tiny: Tiny) -> None:
    child = tiny.run(Result("disk", seed=1)).start("filler", _say)

    told = [disk._told(child), disk._told(child)]
    child.join()

    assert told == [{"stored": 1}, {"stored": 2}]


def test_a_folder_under_a_quota_is_full_when_its_files_take_it_up(tmp_path: Path) -> None:
    with quota(tmp_path, 4 * MB) as limit, connect(tmp_path / "store.db") as store:
        queue = store.queue("mail")
        with pytest.raises(StoreFull):
            for _ in range(1000):
                queue.enqueue(os.urandom(20_000))
        limit.fill(tmp_path / "stranger")

        assert limit.left() == 0 == os.statvfs(tmp_path).f_bavail
        assert len(queue.claim(limit=1000)) == len(store.deliveries(limit=1000))

    assert os.statvfs(tmp_path).f_bavail > 0


def test_a_store_that_keeps_no_room_is_stuck_under_a_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "is_short", lambda path, grows, pending: False)
    monkeypatch.setattr(space, "load_ballast", lambda path: False)
    with quota(tmp_path, 2 * MB), connect(tmp_path / "store.db") as store:
        queue = store.queue("mail")
        with pytest.raises((StoreFull, OutcomeUnknown)):
            for _ in range(1000):
                queue.enqueue(os.urandom(3000))
        with pytest.raises((StoreFull, OutcomeUnknown)):
            queue.claim(limit=100)
