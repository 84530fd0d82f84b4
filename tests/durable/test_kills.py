"""Workers killed and stopped around a step: each effect once, or once more and never twice more."""

from __future__ import annotations

import os
import signal

import pytest

from ..processes import fencepost, running, stop_outside_transactions, wait_until, workers_of
from .conftest import Place

APP = '''
import os, signal, time
from pathlib import Path

from fencepost import App

app = App("hooks.db")


def die_once(at, message):
    """End like a process whose power is cut, the first time that it comes here."""
    if message.body.decode() == at and not Path("died").exists():
        Path("died").write_text(at)
        os.kill(os.getpid(), signal.SIGKILL)


def append(name, line):
    with open(name, "a") as file:
        file.write(line + "\\n")


@app.task("work")
def work(message, ctx):
    steps = ctx.store.engine.durable.steps
    record = steps.record

    def recording(entries):
        if entries[0][1].name == "effect":
            die_once("before the commit", message)
        answer = record(entries)
        if entries[0][1].name == "effect":
            die_once("after the commit", message)
        return answer

    steps.record = recording
    ctx.step("first", append, "first", "first")
    die_once("before the function", message)

    def effect():
        append("effects", ctx.step_key)
        die_once("in the function", message)

    ctx.step("effect", effect)

    def insert(tx):
        tx.execute("create table if not exists made (n integer)")
        tx.execute("insert into made values (1)")
        die_once("in the transaction", message)

    ctx.step("insert", insert, in_transaction=True)
    die_once("after the transaction", message)


@app.task("sleepy")
def sleepy(message, ctx):
    steps = ctx.store.engine.durable.steps
    suspend = steps.suspend

    def suspending(hold, sleep):
        die_once("before it sleeps", message)
        suspend(hold, sleep)
        die_once("asleep", message)

    steps.suspend = suspending
    ctx.step("first", append, "first", "first")
    try:
        ctx.sleep("nap", 0.3)
    finally:
        if ctx.suspended:
            die_once("in finally", message)
    append("woken", str(ctx.attempt))
    die_once("woken", message)


@app.task("slow", timeout=None)
def slow(message, ctx):
    append("slow", f"{os.getpid()}")
    if len(Path("slow").read_text().splitlines()) == 1:
        while not Path("go").exists():
            time.sleep(0.01)
    ctx.step("late", append, "late", f"{ctx.attempt}")
'''


# STEP-14, STEP-16, STEP-21, EFFECT-21
@pytest.mark.parametrize(
    ("at", "effects"),
    [
        ("before the function", 1),
        ("in the function", 2),
        ("before the commit", 2),
        ("after the commit", 1),
        ("in the transaction", 1),
        ("after the transaction", 1),
    ],
)
def test_a_worker_that_dies_repeats_only_what_was_not_recorded(
    place: Place, at: str, effects: int
) -> None:
    place.store.queue("work").enqueue(at.encode(), key="k")

    place.drain("--workers", "1")

    assert (place.folder / "died").read_text() == at
    assert place.lines("first") == ["first"]
    keys = place.lines("effects")
    assert len(keys) == effects
    assert len(set(keys)) == 1  # the other side can tell that it is the same
    assert [tuple(row) for row in place.store.read("select n from made")] == [(1,)]
    assert place.store.queue("work").stats().done == 1
    assert place.store.read("select id from fp_step") == []


# SLEEP-4, SLEEP-5
@pytest.mark.parametrize(
    ("at", "woken"),
    [("in finally", 1), ("before it sleeps", 1), ("asleep", 1), ("woken", 2)],
)
def test_a_worker_that_dies_around_a_sleep_sleeps_once_and_goes_on(
    place: Place, at: str, woken: int
) -> None:
    place.store.queue("sleepy").enqueue(at.encode(), key="k")
    with running(fencepost("work", "app.py", "--workers", "1"), cwd=place.folder) as pool:
        wait_until(lambda: place.store.queue("sleepy").stats().done == 1, "it is done")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(60) == 0

    assert (place.folder / "died").read_text() == at
    assert place.lines("first") == ["first"]
    assert len(place.lines("woken")) == woken
    assert place.store.read("select id from fp_step") == []
    assert place.store.queue("sleepy").stats().asleep == 0


# STEP-15
def test_a_worker_that_was_stopped_past_its_lease_runs_no_step(place: Place) -> None:
    place.store.queue("slow").enqueue(b"")
    pool = fencepost("work", "app.py", "--workers", "1", "--lease", "1")
    with running(pool, cwd=place.folder) as first:
        wait_until(lambda: place.lines("slow"), "the handler runs")
        (stale,) = [int(line) for line in place.lines("slow")]
        assert stale in [row["pid"] for row in workers_of(place.folder / "hooks.db")]
        for pid in (first.pid, stale):  # nobody renews the lease
            stop_outside_transactions(pid, place.folder / "hooks.db")
        place.drain("--workers", "1", "--queue", "slow")
        assert place.lines("late") == ["2"]
        (place.folder / "go").touch()
        os.kill(stale, signal.SIGCONT)
        os.kill(first.pid, signal.SIGCONT)
        wait_until(lambda: place.store.queue("slow").stats().leased == 0, "nothing runs")
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0

    assert place.lines("late") == ["2"]
    assert place.store.queue("slow").stats().done == 1
