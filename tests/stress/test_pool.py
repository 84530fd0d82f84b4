"""Pools under kills: what is killed, what counts as a repeat, and that a tiny run finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fencepost import connect
from fencepost.stress.harness.waiting import PATIENCE_SECONDS
from fencepost.stress.machine.processes import children, kill, name_of
from fencepost.stress.pools.tries import repeats
from fencepost.stress.records.history import Call
from fencepost.stress.records.report import Result
from fencepost.stress.scenarios.pools import pool
from fencepost.stress.scenarios.pools.pool import SCENARIO
from fencepost.stress.sqlite.census import Census

from ..sqlite.inside import session
from .tiny import Tiny

_TINY = {
    "rounds": 1,
    "kills": 3,
    "pools": 1,
    "workers": 1,
    "producers": 1,
    "deployments": 0,
    "seconds": 0,
    "again": 60,
}


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, _TINY)

    assert result.findings == []
    assert result.checked["effects-once"] > 0
    assert result.faults == {
        "app process killed": 1,
        "pool stopped": 1,
        "supervisor killed": 1,
        "forkserver killed": 1,
    }


def _seen(op: str, at: int, **answer: Any) -> Call:
    return Call("scenario", op, at, at, "ok", {}, answer)


def _claim(process: str, at: int, key: str) -> Call:
    return Call(process, "claim", at - 1, at, "ok", {}, {"claims": [{"key": key}]})


def test_only_what_a_process_had_in_its_hands_when_it_was_killed_may_be_tried_again() -> None:
    calls = [
        _claim("a", 1, "finished"),
        _claim("a", 2, "held"),
        _seen("killed", 3, process="a"),
        _claim("b", 4, "held"),
        _claim("b", 5, "finished"),
        _seen("final", 9, key="held", state="done"),
        _seen("final", 9, key="finished", state="done"),
    ]

    found = {each.first.key: (each.killed_at, each.again_at) for each in repeats(calls)}

    assert found == {"held": (3, 4), "finished": (None, 5)}


def test_what_died_with_its_process_and_was_never_done_is_told() -> None:
    calls = [_claim("a", 1, "k"), _seen("killed", 2, process="a")]

    (found,) = repeats(calls)

    assert (found.killed_at, found.again_at) == (2, None)


def test_only_a_child_of_the_named_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process.pid in children(os.getpid())
        assert not kill(process.pid, parent=1)
        assert process.poll() is None
        name = name_of(process.pid)

        assert kill(process.pid, parent=os.getpid())

    assert process.returncode == -9
    assert name.startswith(f"{process.pid}-")
    assert not kill(process.pid, parent=os.getpid())


def test_a_wrong_count_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with connect(path) as store, closing(Census(path)) as census:
        store.queue("mail").enqueue(b"hello")
        before = census.verdict()
        with session(store).write("test") as write:
            write.run("update fp_queue set ready = ready + 1")

        assert (before, census.verdict()) == ("ok", "queue mail has 1 live deliveries, and says 2")


@pytest.mark.parametrize("works", [True, False])
def test_the_end_is_waited_for_as_long_as_less_is_left(
    works: bool, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, now = Result("pool", seed=1), [0.0]
    site = pool._Site(tiny.run(found, _TINY), 0)
    for _ in range(10):
        site._queue.enqueue(b"")

    def sleep(seconds: float) -> None:
        now[0] += PATIENCE_SECONDS / 3
        for claim in site._queue.claim() if works else ():
            claim.ack()

    with monkeypatch.context() as patch:
        patch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
        site.drain()
    site._store.close()

    assert [each.invariant for each in found.findings] == ([] if works else ["never-stuck"])
    assert now[0] == pytest.approx(PATIENCE_SECONDS * (10 / 3 if works else 1))
