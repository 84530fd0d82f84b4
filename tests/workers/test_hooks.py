"""What an app has called in each worker process: at its start, and at its end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from fencepost import App, InvalidInput, connect

from ..processes import (
    PATIENCE_SECONDS,
    fencepost,
    line_of,
    running,
    wait_until,
    workers_of,
)

APP = """
import asyncio, contextvars, os
from pathlib import Path
from fencepost import App

here = Path(__file__).parent
app = App(str(here / "store.db"))
app.source("hooks", scheme="hmac", secret="s", key="body")
greeting = contextvars.ContextVar("greeting")
opened = []


def note(line):
    with (here / "notes").open("a") as file:
        file.write(f"{os.getpid()} {line}\\n")


@app.worker_started
def plain():
    greeting.set("hello")
    note("plain")


@app.worker_started
async def client(worker):
    assert worker.pid == os.getpid()
    assert worker.store.read("select 1") is not None
    opened.append(asyncio.get_running_loop())
    note(f"client {worker.id > 0}")


@app.worker_stopping
def first():
    note("first")


@app.worker_stopping
async def last():
    assert opened == [asyncio.get_running_loop()]
    note("last")
    raise ValueError("does not keep the others")


@app.task("mail")
async def mail(message, ctx):
    assert opened == [asyncio.get_running_loop()]
    note("mail")


@app.task("plain-mail")
def plain_mail(message, ctx):
    note(f"plain-mail {greeting.get()}")
"""

FAILING = """
@app.worker_started
def failing():
    if not (here / "go").exists():
        raise OSError("no database yet")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the app."""
    (tmp_path / "hooks.py").write_text(APP)
    return tmp_path


def _notes(folder: Path) -> list[str]:
    """What was noted, without the pids."""
    path = folder / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.partition(" ")[2] for line in lines]


def _log(folder: Path, event: str) -> list[dict[str, str]]:
    lines = (folder / "stderr").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each["event"] == event]


def _states(folder: Path) -> list[str]:
    return [each["state"] for each in workers_of(folder / "store.db")]


# HOOK-1
def test_hooks_are_called_before_the_first_message_and_after_the_last(folder: Path) -> None:
    with connect(folder / "store.db") as store:
        store.queue("mail").enqueue(b"")
        store.queue("plain-mail").enqueue(b"")
    with running(fencepost("work", "hooks.py", "--workers", "1", "--drain"), cwd=folder) as pool:
        assert pool.wait(PATIENCE_SECONDS) == 0

    notes = _notes(folder)
    assert notes[:2] == ["plain", "client True"]
    assert sorted(notes[2:4]) == ["mail", "plain-mail hello"]
    assert notes[4:] == ["last", "first"]
    (line,) = _log(folder, "worker_stopping failed")
    assert line["function"] == "last"
    assert "does not keep the others" in line["exception"]


# HOOK-2
def test_hooks_are_called_in_workers_alone_and_in_each(folder: Path) -> None:
    words = fencepost("up", "hooks.py", "--workers", "2", "--port", "0")
    with running(words, cwd=folder) as pool:
        line_of(pool)
        pids = {each["pid"] for each in workers_of(folder / "store.db")}
        assert len(pids) == 2
        lines = (folder / "notes").read_text().splitlines()
        assert {int(line.split()[0]) for line in lines} == pids
        os.kill(min(pids), signal.SIGKILL)
        wait_until(lambda: _notes(folder).count("plain") == 3, "its successor calls them")
        # One that is told to end before it is up calls nothing.
        wait_until(lambda: _states(folder) == ["idle", "idle"], "its successor is up")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0
    assert _notes(folder).count("first") == 2


# HOOK-3
def test_a_worker_whose_start_fails_is_tried_again_and_claims_nothing(folder: Path) -> None:
    (folder / "hooks.py").write_text(APP + FAILING)
    with connect(folder / "store.db") as store:
        store.queue("mail").enqueue(b"")
    with running(fencepost("up", "hooks.py", "--workers", "1", "--port", "0"), cwd=folder) as pool:
        line_of(pool)
        assert "mail" not in _notes(folder)
        line = wait_until(lambda: _log(folder, "worker_started failed"), "the log says so")[0]
        assert line["function"] == "failing"
        assert "no database yet" in line["exception"]
        (folder / "go").touch()
        wait_until(lambda: "mail" in _notes(folder), "it works in the end")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0


# HOOK-3
def test_a_pool_alone_whose_workers_cannot_start_ends_with_1(folder: Path) -> None:
    (folder / "hooks.py").write_text(APP + FAILING)
    with running(fencepost("work", "hooks.py", "--workers", "1"), cwd=folder) as pool:
        assert pool.wait(PATIENCE_SECONDS) == 1


# HOOK-3
def test_code_whose_workers_cannot_start_is_not_reloaded(folder: Path) -> None:
    with running(fencepost("work", "hooks.py", "--workers", "1"), cwd=folder) as pool:
        line_of(pool)
        (folder / "hooks.py").write_text(APP + FAILING)
        pool.send_signal(signal.SIGHUP)
        wait_until(lambda: _log(folder, "not reloaded: the old code stays in use"), "the verdict")
        (worker,) = workers_of(folder / "store.db")
        os.kill(worker["pid"], signal.SIGKILL)
        with connect(folder / "store.db") as store:
            store.queue("mail").enqueue(b"")
            wait_until(lambda: store.queue("mail").stats().done, "the old code works")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0


# HOOK-4
@pytest.mark.parametrize("hook", ["worker_started", "worker_stopping"])
def test_what_cannot_be_called_is_refused_where_it_is_declared(hook: str) -> None:
    declare = getattr(App("store.db"), hook)

    def generator():  # type: ignore[no-untyped-def]
        yield

    for wrong in (None, 5, generator, lambda message, ctx: None):
        with pytest.raises(InvalidInput):
            declare(wrong)
    for right in (lambda: None, lambda worker: None, lambda *rest: None, print):
        assert declare(right) is right
