"""Commands that look answer at once, also while a handler is in a transaction."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from fencepost import connect

from ..processes import PATIENCE_SECONDS, fencepost, running, tell, wait_until, workers_of
from ..sqlite.holder import holder
from .command import Command

LOOKS = (
    ("status",),
    ("status", "--json"),
    ("workers", "list"),
    ("messages", "list"),
    ("messages", "show", "1"),
    ("leases", "list"),
    ("keys", "list"),
    ("keys", "get", "a", "n", "key"),
    ("sql", "select count(*) from fp_message"),
)


# OPEN-1
def test_every_command_that_looks_answers_while_a_handler_is_in_its_transaction(
    path: Path, command: Command
) -> None:
    with connect(path) as store:
        store.queue("mail").enqueue(b"")
        store.keyed("a", "n").register("key", 1)

    with holder(str(path)) as process:
        started = time.monotonic()
        answers = [command(*look) for look in LOOKS]
        took = time.monotonic() - started
        tell(process, "go on")

    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * len(LOOKS)
    assert took < 5  # what one of them would wait for the lock


# OPEN-1
def test_a_probe_waits_for_the_write_lock_once_and_says_who_has_it(path: Path) -> None:
    with connect(path, busy_timeout=1) as store, holder(str(path)) as process:
        started = time.monotonic()
        steps = {step.name: step for step in store.probe().steps}
        took = time.monotonic() - started
        tell(process, "go on")

    assert [name for name, step in steps.items() if not step.ok] == ["writer"]
    assert f"process {process.pid} " in steps["writer"].detail
    for name in ("write", "checkpoint"):
        assert steps[name].warning
        assert "not tried" in steps[name].detail
    assert took == pytest.approx(1, abs=0.9)


_APP = """
import pathlib, time
from fencepost import App

app = App("hooks.db", busy_timeout=0.5)


@app.task("slow")
def slow(message, ctx):
    with ctx.transaction():
        pathlib.Path("inside").touch()
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
"""


# OPEN-7
def test_doctor_warns_of_a_handler_that_is_long_in_its_transaction(
    path: Path, command: Command
) -> None:
    (path.parent / "app.py").write_text(_APP)
    with connect(path) as store:
        store.queue("slow").enqueue(b"")
    with running(fencepost("work", "app.py", "--workers", "1", "--drain"), cwd=path.parent) as pool:
        wait_until((path.parent / "inside").exists, "the handler is in its transaction")
        (worker,) = workers_of(path)

        working = command("doctor", "--json")
        os.kill(worker["pid"], signal.SIGSTOP)
        stopped = command("doctor", "--json")
        os.kill(worker["pid"], signal.SIGCONT)

        (path.parent / "go").touch()
        assert pool.wait(PATIENCE_SECONDS) == 0

    steps = [
        {step["name"]: step for step in answer.json()["steps"]} for answer in (working, stopped)
    ]
    assert (working.code, steps[0]["writer"]["warning"]) == (0, True), working.out
    assert f"process {worker['pid']} " in steps[0]["writer"]["detail"]
    assert (stopped.code, steps[1]["writer"]["ok"]) == (1, False), stopped.out
