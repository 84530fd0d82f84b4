"""Messages that no route matched, once their pattern is right; and queues that nobody serves."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, connect

from ..cli.command import Result, run
from ..ingest.inbox import SECRET, github
from ..processes import PATIENCE_SECONDS, line_of, running, wait_until
from ..processes import fencepost as command_line

APP = f"""
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r})


def note(message, ctx):
    with open("handled", "a") as file:
        print(message.event, file=file)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three messages in its store that no route matched."""
    monkeypatch.chdir(tmp_path)
    app = App("hooks.db")
    app.source("github", scheme="github", secret=SECRET)
    for event in ("push", "push", "ping"):
        assert app.accept("github", github(event=event), b"{}").status == 200
    app.close()
    return tmp_path


def drained(declared: str, *options: str) -> Result:
    """Run a pool of the app with these routes until nothing is left."""
    Path("app.py").write_text(APP + declared)
    return run("work", "app.py", "--drain", "--workers", "2", *options, cwd=Path.cwd())


def handled() -> list[str]:
    return sorted(Path("handled").read_text().split()) if Path("handled").exists() else []


def lines(ended: Result, event: str) -> list[dict[str, Any]]:
    """Return what was logged of an event."""
    logged = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    return [line for line in logged if line["event"] == event]


def replay_all() -> None:
    with connect("hooks.db") as store:
        outcomes = store.replay_unrouted(each.message_id for each in store.unrouted())
        assert all(outcomes)


# UNROUTED-6
def test_a_pool_routes_what_is_replayed_and_drains_it(folder: Path) -> None:
    push = 'app.on("github", "push", name="deploy")(note)'
    assert drained(push).code == 0
    assert handled() == []  # until an operator asks for it
    replay_all()

    ended = drained(push)

    assert ended.code == 0, ended.err
    assert handled() == ["push", "push"]
    assert [line["queues"] for line in lines(ended, "routed again")] == ["deploy", "deploy"]
    (still,) = lines(ended, "still no route matches: the message is kept")
    assert still["event_name"] == "ping"
    with connect("hooks.db") as store:
        (left,) = store.unrouted()
        assert (left.event, left.waiting) == ("ping", False)


# UNROUTED-6
def test_a_running_pool_routes_it_at_once(folder: Path) -> None:
    Path("app.py").write_text(APP + 'app.on("github", "*", name="deploy")(note)')

    with running(command_line("work", "app.py", "--workers", "1"), cwd=folder) as pool:
        line_of(pool)
        replay_all()

        wait_until(lambda: handled() == ["ping", "push", "push"], "all are handled")


# UNROUTED-7
def test_routes_whose_code_is_rude_end_no_worker(folder: Path) -> None:
    replay_all()
    rude = """
def lane(message):
    if message.event == "ping":
        raise SystemExit("rude")
    return {"lane": "of no use"}["main"]

app.on("github", "*", name="deploy", lane=lane)(note)
"""
    ended = drained(rude)

    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    with connect("hooks.db") as store:
        assert store.unrouted() == []
        errors = sorted((row.state, row.error or "") for row in store.deliveries())
    assert [state for state, _ in errors] == ["dead"] * 3
    assert "KeyError" in errors[0][1]
    assert "SystemExit: rude" in errors[2][1]


# UNROUTED-7
def test_a_pool_of_another_app_leaves_it_for_the_one_that_has_its_source(folder: Path) -> None:
    replay_all()
    other = """
other = App("hooks.db")
other.task("mail")(note)
"""
    Path("app.py").write_text(APP + other)

    assert run("work", "app.py:other", "--drain", "--workers", "1", cwd=folder).code == 0

    with connect("hooks.db") as store:
        assert [each.waiting for each in store.unrouted()] == [True] * 3
    assert drained('app.on("github", name="deploy")(note)').code == 0
    assert len(handled()) == 3


# UNSERVED-2
def test_a_pool_names_queues_that_nobody_serves_and_does_not_report_them_as_finished(
    folder: Path,
) -> None:
    with connect("hooks.db") as store:
        store.queue("renamed").enqueue_many([{"body": b""}, {"body": b"", "delay": 3600}])
        store.queue("mail").enqueue(b"")

    ended = drained('app.task("mail")(note)')

    assert ended.code == 0, ended.err
    (named,) = lines(ended, "queues hold work and no running pool serves them")
    assert named["queues"] == "renamed (2)"
    assert named["level"] == "warning"
    (left,) = lines(ended, "queues still hold work: this pool does not serve them")
    assert left["queues"] == "renamed (2)"


# UNSERVED-2
def test_a_queue_of_another_running_pool_is_served(folder: Path) -> None:
    with connect("hooks.db") as store:
        store.queue("other").enqueue(b"", delay=3600)
    Path("other.py").write_text(APP + 'app.task("other")(note)')

    with running(command_line("work", "other.py", "--workers", "1"), cwd=folder) as other:
        line_of(other)
        ended = drained('app.task("mail")(note)')
        other.terminate()
        assert other.wait(timeout=PATIENCE_SECONDS) == 0

    assert ended.code == 0
    assert "queues" not in ended.err


# UNSERVED-4
def test_a_reload_that_renames_a_handler_names_the_queue_it_leaves(folder: Path) -> None:
    Path("app.py").write_text(APP + 'app.task("old")(note)')

    with (
        running(command_line("work", "app.py", "--workers", "2"), cwd=folder) as pool,
        connect("hooks.db") as store,
    ):
        line_of(pool)
        store.queue("old").enqueue(b"", delay=3600)
        assert store.unserved() == []
        Path("app.py").write_text(APP + 'app.task("new")(note)')
        pool.send_signal(signal.SIGHUP)

        wait_until(lambda: '"old (1)"' in Path("stderr").read_text(), "the log names it")

        assert [each.queue for each in store.unserved()] == ["old"]
        assert [each.queues for each in store.pools()] == [("new", "outbox")]
