"""Trials under a fault: who is listened to, and what is told of what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import connect
from fencepost.stress.harness.child_processes import Me
from fencepost.stress.records.history import Recorder
from fencepost.stress.records.report import Result
from fencepost.stress.sqlite import faulted_calls

from .tiny import Tiny


def _hold(me: Me, path: str, times: float) -> None:
    """Keep what is there for longer than anybody waits."""
    with connect(path) as store:
        queue = store.queue("jobs")
        with me.history.begin("enqueue", queue="jobs", key="held", lane=None) as call:
            receipt = queue.enqueue(b"", key="held")
            call.ok(status=receipt.status, message_id=receipt.message_id)
        queue.claim(lease=600)
    for _ in range(int(times)):
        me.ready()  # it gets on
    me.ready(times=times)


def test_what_does_not_come_to_its_end_is_told_as_stuck_and_not_as_lost(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faulted_calls, "PATIENCE_SECONDS", 0.1)
    result = Result("interrupt", seed=1)

    told, _ = faulted_calls.trial(tiny.run(result, {"processes": 2}), _hold, 3)

    assert told == [{"times": 3}] * 2
    (found,) = result.findings
    assert (found.invariant, found.what) == (
        "never-stuck",
        "1 deliveries do not come to their end",
    )


def test_all_that_is_left_is_worked_off(tmp_path: Path) -> None:
    with connect(tmp_path / "store.db") as store:
        queue = store.queue("jobs")
        for number in range(60):
            queue.enqueue(b"", key=f"{number}")

        assert faulted_calls._drain(queue, Recorder(tmp_path / "history", "drain")) == 0
        assert queue.stats().done == 60
