"""What a handler has started is gone before its delivery is tried again."""

from __future__ import annotations

import os
import signal

import pytest

from ..processes import is_gone, wait_until
from .conftest import Site

# Each starts a process that works on for as long as it lives, and notes its pid.
STARTED = {
    "a child": "subprocess.Popen([sys.executable, '-c', BEAT, note])",
    "in a session of its own": (
        "subprocess.Popen([sys.executable, '-c', BEAT, note], start_new_session=True)"
    ),
    "by a shell in the background": (
        "os.system(f\"{sys.executable} -c '{BEAT}' {note} > /dev/null 2>&1 &\")"
    ),
    "multiprocessing": (
        "multiprocessing.get_context('fork').Process(target=beat, args=(note,)).start()"
    ),
    "multiprocessing, spawned": (
        "multiprocessing.get_context('spawn').Process(target=exec,"
        " args=(f'import sys; sys.argv[1:] = [{note!r}]; {BEAT}',)).start()"
    ),
    "a daemon": "daemon(note)",
}
ENDS = {
    "over its timeout": "time.sleep(1000)",
    "crashed": "os.abort()",
    "exited": "os._exit(0)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}
BEAT = "import os, sys, time; open(sys.argv[1], chr(119)).write(str(os.getpid())); time.sleep(1000)"

HANDLERS = f"""
import multiprocessing, subprocess, sys

BEAT = {BEAT!r}
STARTED, ENDS = {STARTED!r}, {ENDS!r}


def beat(note):
    Path(note).write_text(str(os.getpid()))
    time.sleep(1000)


def daemon(note):
    if not (child := os.fork()):
        os.setsid()
        if not os.fork():
            os.closerange(0, 100)
            os.execv(sys.executable, [sys.executable, "-c", BEAT, note])
        os._exit(0)
    os.waitpid(child, 0)


def notes(folder, key):
    return [folder / f"{{key}}-{{number}}" for number in range(len(STARTED))]


@app.task("starting", timeout=20, max_crashes=9)
def starting(message, ctx):
    if ctx.attempt == 1:
        for code, note in zip(STARTED.values(), notes(here, message.key)):
            exec(code, globals(), {{"note": str(note)}})
        for note in notes(here, message.key):
            while not note.exists() or not note.read_text():
                time.sleep(0.01)
        (here / "begun").touch()
        exec(message.body.decode())
    else:
        pids = [int(note.read_text()) for note in notes(here, message.key)]
        alive = [pid for pid in pids if os.path.exists(f"/proc/{{pid}}/exe") and not is_zombie(pid)]
        (here / f"alive-{{message.key}}").write_text(repr(alive))


@app.task("leaving-a-daemon")
def leaving_a_daemon(message, ctx):
    daemon(str(here / "daemon"))
    wait_for("daemon")


def is_zombie(pid):
    try:
        return Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
"""


@pytest.fixture
def starting(site: Site) -> Site:
    """A site whose handler starts processes of all kinds."""
    code = HANDLERS.replace("timeout=20", "timeout=4")
    with (site.folder / "app.py").open("a") as file:
        file.write(code)
    return site


# PROCESS-12
@pytest.mark.parametrize("end", ENDS)
def test_what_a_dead_worker_had_started_is_gone_before_the_next_attempt(
    starting: Site, end: str
) -> None:
    starting.store.queue("starting").enqueue(ENDS[end].encode(), key="k")

    said = starting.drain()

    assert starting.store.queue("starting").stats().done == 1, said
    assert (starting.folder / "alive-k").read_text() == "[]"


# PROCESS-13
def test_a_daemon_outlives_a_worker_that_ends_in_good_order(starting: Site) -> None:
    starting.store.queue("leaving-a-daemon").enqueue(b"", key="k")

    starting.drain()

    pid = int(wait_until((starting.folder / "daemon").read_text, "its note"))
    assert not is_gone(pid)
    os.kill(pid, signal.SIGKILL)
