"""The scenario of interrupted calls, at its smallest."""

from __future__ import annotations

import signal
from pathlib import Path

from fencepost import connect
from fencepost.stress.records.history import read
from fencepost.stress.sqlite.scenarios import interrupt

from .tiny import Tiny


def test_calls_are_interrupted_and_nothing_is_found(tmp_path: Path, tiny: Tiny) -> None:
    result = tiny(interrupt.SCENARIO, {"processes": 1, "interrupts": 20})

    assert result.findings == []
    errors = [call.answer["error"] for call in read(tmp_path / "history") if "error" in call.answer]
    assert errors.count("interrupted") == 20


def test_an_alarm_comes_within_the_block_or_not_at_all() -> None:
    came = []
    before = signal.signal(signal.SIGALRM, lambda *_: came.append(1))
    try:
        with interrupt.alarm(30):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        with interrupt.alarm(1e-6):
            while not came:
                pass
    finally:
        signal.signal(signal.SIGALRM, before)


def test_the_locks_that_others_wait_for_are_seen(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    with connect(path) as store:
        assert interrupt.locks_of(path) == set()
        with store.transaction():
            assert interrupt.locks_of(path) == {"the gate", "the write lock"}
