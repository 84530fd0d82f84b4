"""The long-running commands: what they print, what they do, how they end."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..ingest.inbox import SECRET, github
from ..processes import PATIENCE_SECONDS, fencepost, line_of, running, wait_until
from .command import run

APP = f"""
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r})


@app.on("github")
def note(message, ctx):
    return message.event


@app.task("mail")
def send(message, ctx):
    return "sent"


@app.task("fax")
def fax(message, ctx):
    raise ValueError("no paper")
"""

# Neither can be pickled by name: each worker has to get them some other way.
CLOSURES = """
from fencepost import App

app = App("hooks.db")
app.task("mail")(lambda message, ctx: "lambda")


def make(word):
    def handler(message, ctx):
        return word

    return handler


app.task("fax")(make("closure"))
"""

SCRIPT = (
    CLOSURES
    + """
if __name__ == "__main__":
    print(app.work(workers=2, drain=True))
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an app; its store is hooks.db there."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def opened(folder: Path) -> Store:
    return connect(str(folder / "hooks.db"))


def enqueue(folder: Path, **count: int) -> None:
    with opened(folder) as store:
        for queue, number in count.items():
            store.queue(queue).enqueue_many([{"body": b"{}"} for _ in range(number)])


def results(folder: Path, queue: str) -> list[object]:
    """Return what the handler of a queue returned, for all that is done."""
    with opened(folder) as store:
        found = store.deliveries(queue=queue, state="done", limit=1000)
        contents = [store.content(delivery.id) for delivery in found]
    return [content.result for content in contents if content is not None]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_says_where_it_listens_handles_what_comes_and_ends_with_0(
    folder: Path, number: signal.Signals
) -> None:
    words = fencepost("up", "app.py", "--workers", "1", "--port", "0")

    with running(words, cwd=folder) as up:
        announced = line_of(up)
        port = int(announced.split()[2].rpartition(":")[2])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as sender:
            sender.request("POST", "/in/github", b"{}", github())
            answer = json.loads(sender.getresponse().read())
        wait_until(lambda: results(folder, "note"), "the message to be handled")
        up.send_signal(number)
        code = up.wait(PATIENCE_SECONDS)

    assert announced == (
        f"receiving on http://127.0.0.1:{port} (http://127.0.0.1:{port}/in/github)"
    )
    assert answer["status"] == "accepted"
    assert results(folder, "note") == ["push"]
    assert code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_and_work_end_with_0(folder: Path, number: signal.Signals) -> None:
    serve = running(fencepost("serve", "app.py", "--port", "0"), cwd=folder)
    work = running(fencepost("work", "app.py", "--workers", "1"), cwd=folder)

    with serve as receiver, work as pool:
        said = [line_of(receiver).split()[0], line_of(pool)]
        for process in (receiver, pool):
            process.send_signal(number)
        codes = [process.wait(PATIENCE_SECONDS) for process in (receiver, pool)]

    assert said == ["receiving", "1 worker is processing queues note, mail, fax"]
    assert codes == [0, 0]


def test_serve_alone_handles_nothing(folder: Path) -> None:
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=folder) as receiver:
        port = int(line_of(receiver).split()[2].rpartition(":")[2])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as sender:
            sender.request("POST", "/in/github", b"{}", github())
            assert sender.getresponse().status == 200
        with opened(folder) as store:
            (delivery,) = store.deliveries()
            workers = store.workers()

    assert (delivery.queue, delivery.state) == ("note", "ready")
    assert workers == []


# CLAIM-20
def test_a_drained_pool_has_left_nothing_and_ends_with_0(folder: Path) -> None:
    enqueue(folder, mail=30)

    ended = run("work", "app.py", "--workers", "2", "--drain", cwd=folder)

    assert ended.code == 0, ended
    assert results(folder, "mail") == ["sent"] * 30
    with opened(folder) as store:
        assert not store.engine.queue.anything_left(["mail", "fax", "note"])
        assert store.workers() == []


def test_a_pool_that_drains_an_empty_store_ends_at_once(folder: Path) -> None:
    assert run("work", "app.py", "--drain", "--workers", "1", cwd=folder).code == 0


# CLAIM-20
def test_a_pool_works_on_the_queues_it_was_given_and_no_other(folder: Path) -> None:
    enqueue(folder, mail=3, fax=2)

    ended = run("work", "app.py", "--queue", "mail", "--workers", "1", "--drain", cwd=folder)

    assert ended.code == 0, ended
    with opened(folder) as store:
        stats = store.stats()
    assert (stats["mail"].done, stats["fax"].ready) == (3, 2)


def test_an_app_file_may_have_lambdas_and_closures_as_handlers(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CLOSURES)
    enqueue(tmp_path, mail=1, fax=1)

    ended = run("work", "app.py", "--workers", "2", "--drain", cwd=tmp_path)

    assert ended.code == 0, ended
    assert results(tmp_path, "mail") == ["lambda"]
    assert results(tmp_path, "fax") == ["closure"]


def test_a_module_is_found_from_the_folder_where_the_command_is_run(folder: Path) -> None:
    enqueue(folder, mail=1)

    assert (
        run("work", "app:app", "--workers", "1", "--drain", "--queue", "mail", cwd=folder).code == 0
    )
    assert results(folder, "mail") == ["sent"]


def test_a_script_carries_its_closures_to_its_own_pool(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    enqueue(tmp_path, mail=3, fax=3)

    ended = subprocess.run(
        [sys.executable, "script.py"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )

    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
    assert results(tmp_path, "mail") == ["lambda"] * 3
    assert results(tmp_path, "fax") == ["closure"] * 3


def test_status_shows_the_running_pool(folder: Path) -> None:
    with running(fencepost("work", "app.py", "--workers", "2"), cwd=folder) as pool:
        line_of(pool)
        shown = run("status", "--json", "--store", "hooks.db", cwd=folder).json()
        store = run("status", "--json", cwd=folder, FENCEPOST_STORE="hooks.db").json()

    (found,) = shown["pools"]
    pids = {worker["pid"] for worker in found["workers"]}
    assert len(pids) == 2
    assert pool.pid not in pids
    assert {worker["state"] for worker in found["workers"]} <= {"starting", "idle"}
    assert {worker["pid"] for worker in store["pools"][0]["workers"]} == pids


def test_an_app_whose_workers_cannot_start_ends_with_1(folder: Path) -> None:
    (folder / "app.py").write_text(
        APP + "\n@app.worker_started\ndef fail():\n    raise ValueError('no')\n"
    )

    ended = run("work", "app.py", "--workers", "1", cwd=folder)

    assert ended.code == 1
    assert "a process does not start: the pool ends" in ended.err


def test_a_receiver_alone_scales_nobody(folder: Path) -> None:
    with running(fencepost("serve", "app.py", "--port", "0"), cwd=folder) as serve:
        line_of(serve)
        serve.send_signal(signal.SIGTTOU)
        serve.send_signal(signal.SIGTTIN)
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(PATIENCE_SECONDS) == 0

    with opened(folder) as store:
        assert store.engine.pools.scale() is None


def test_times_of_an_app_may_be_timedeltas(folder: Path) -> None:
    text = "from datetime import timedelta\n" + APP
    (folder / "app.py").write_text(
        text.replace('App("hooks.db")', 'App("hooks.db", busy_timeout=timedelta(seconds=2))')
    )
    enqueue(folder, mail=1)

    assert run("work", "app.py", "--drain", "--workers", "1", cwd=folder).code == 0

    assert results(folder, "mail") == ["sent"]


def test_files_beside_the_app_do_not_stand_for_the_standard_library(folder: Path) -> None:
    for name in ("queue", "secrets", "socket"):
        (folder / f"{name}.py").write_text("raise ImportError('not that one')")
    enqueue(folder, mail=1)

    script = Path(sys.executable).with_name("fencepost")  # python -m has them in its path itself
    ended = subprocess.run(
        [script, "work", "app.py", "--drain", "--workers", "1"],
        cwd=folder,
        check=False,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )

    assert (ended.returncode, results(folder, "mail")) == (0, ["sent"])
