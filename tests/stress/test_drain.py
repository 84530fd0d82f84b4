"""Pools that are told to stop: what counts as handled twice, and that a tiny run finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fencepost import connect
from fencepost.stress.machine.processes import living_in
from fencepost.stress.pools.apps import paced
from fencepost.stress.pools.judge import judge
from fencepost.stress.records.history import Recorder
from fencepost.stress.records.report import Result
from fencepost.stress.scenarios.pools.drain import SCENARIO

from .tiny import Tiny

_TINY = {"shutdowns": 1, "workers": 1, "grace": 60, "lease": 1, "long_seconds": 1}


def test_a_tiny_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(SCENARIO, _TINY)

    assert result.findings == []
    assert result.checked["not-handled-twice"] > 3
    assert result.faults == {"pool stopped": 3, "pool stopped in long handlers": 1}


def test_only_what_a_pool_was_not_let_finish_may_be_tried_again(tmp_path: Path, tiny: Tiny) -> None:
    history = Recorder(tmp_path / "history", "worker")
    for key, pools in {"once": ["a"], "cut": ["a", "b"], "twice": ["b", "a"]}.items():
        for attempt, pool in enumerate(pools, 1):
            history.seen("tried", key=key, attempt=attempt, pool=pool)
    run = tiny.run(Result("drain", seed=1), _TINY)
    with connect(tmp_path / "store.db") as store, store.transaction() as tx:
        tx.execute(paced.EFFECTS)

    assert judge(run, tmp_path, cut={"a"}) == 5

    (found,) = run._result.findings
    assert found.invariant == "not-handled-twice"
    assert found.what.startswith("twice was tried again")


def test_a_process_is_seen_by_its_working_directory(tmp_path: Path) -> None:
    assert living_in(tmp_path) == []
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], cwd=tmp_path, stdin=subprocess.PIPE
    ) as process:
        assert living_in(tmp_path) == [process.pid]
        assert os.getpid() not in living_in(tmp_path)
        process.kill()
