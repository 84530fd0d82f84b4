"""What needs an operator's attention, as cron and monitors ask for it."""

from __future__ import annotations

import signal
from pathlib import Path

from fencepost import connect

from ..processes import PATIENCE_SECONDS, fencepost, line_of, running
from .command import Command

APP = """
from fencepost import App

app = App("hooks.db")


@app.task("mail")
def mail(message, ctx):
    pass
"""


def _kinds(command: Command, *options: str) -> list[tuple[str, str | None]]:
    """Return the findings, which the exit code and the lines for people have to agree with."""
    ended = command("status", "--check", "--json", *options)
    shown = ended.json()
    people = command("status", "--check", *options)
    assert ended.code == people.code == (1 if shown["findings"] else 0)
    assert shown["ok"] is (not shown["findings"])
    found = [each["kind"] for each in shown["findings"]]
    begins = [line.partition(":")[0] for line in people.out.splitlines()]
    assert begins == (found or ["nothing needs attention"])
    return [(each["kind"], each["queue"]) for each in shown["findings"]]


# CHECK-1
def test_each_thing_that_needs_attention_is_found(command: Command, path: Path) -> None:
    with connect(path) as store:
        assert _kinds(command) == []
        store.queue("mail").enqueue(b"")
        assert _kinds(command) == [("no pool", None)]
        said = command("status", "--check").out
        assert said == "no pool: no pool is running, and 1 delivery is waiting\n"
        (claim,) = store.queue("mail").claim(lease=30)
        assert _kinds(command) == [("no pool", None)]
        claim.bury("no")
        assert _kinds(command) == [("dead", "mail")]
        store.cancel(claim.id)
        assert _kinds(command) == []


# CHECK-1
def test_what_waits_too_long_is_found(command: Command, path: Path) -> None:
    with connect(path) as store:
        store.queue("mail").enqueue(b"")
        store.queue("later").enqueue(b"", delay=1000)
    assert ("age", "mail") in _kinds(command, "--max-age", "0")
    assert ("age", "later") not in _kinds(command, "--max-age", "0")
    assert ("age", "mail") not in _kinds(command, "--max-age", "1000")
    assert command("status", "--max-age", "5").complains(2)


# CHECK-2
def test_a_queue_that_the_running_pool_does_not_serve_is_found(
    command: Command, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "hooks.py").write_text(APP)
    words = fencepost("work", "hooks.py", "--workers", "1")
    with connect(path) as store, running(words, cwd=tmp_path) as pool:
        line_of(pool)
        assert _kinds(command) == []
        store.queue("fax").enqueue(b"")
        assert _kinds(command) == [("unserved", "fax")]
        store.scale(0)
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0
