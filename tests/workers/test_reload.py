"""The code that a pool runs: the last that loaded, whatever becomes of the files."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..processes import (
    PATIENCE_SECONDS,
    fencepost,
    is_gone,
    line_of,
    named,
    running,
    wait_until,
    workers_of,
)

APP = """
from pathlib import Path
from fencepost import App
import helper

here = Path(__file__).parent
greeting = (here / "greeting.txt").read_text()
app = App(str(here / "store.db"))
app.source("hooks", scheme="hmac", secret="s", header="x-signature", key="header:x-id")


@app.task("mail")
def mail(message, ctx):
    return helper.VERSION + greeting
"""

# Each worker imports it for itself: a thread cannot be forked.
THREADED = """
import multiprocess, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""

BROKEN = {
    "a syntax error": "def (",
    "an import error": "import no_such_module",
    "a half-written file": APP[: APP.index("app = App")],
    "an exception": "raise ValueError('no')",
    "an exit": "raise SystemExit(0)",
    "a hard exit": "import os; os._exit(0)",
    "a crash": "import os; os.abort()",
    "a hang": "import time; time.sleep(1000)",
    "no app": "app = 5",
    "an undeclared source": APP + "\napp.on('nowhere')(mail)\n",
    "another store": APP.replace("store.db", "other.db"),
}


class Pool:
    """A pool in a folder of its own."""

    def __init__(self, folder: Path, process: subprocess.Popen[str], store: Store) -> None:
        self.folder = folder
        self.process = process
        self.store = store

    def pids(self, count: int) -> set[int]:
        """Wait for so many workers; return their pids."""
        return set(
            wait_until(
                lambda: (found := self._ready()) and len(found) == count and found, "workers"
            )
        )

    def _ready(self) -> list[int]:
        return [each.pid for each in self.store.workers() if each.state in ("idle", "busy")]

    def kill_all(self) -> None:
        """Kill the workers, and wait until they are gone."""
        killed = set(self._ready())
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(map(is_gone, killed)), "their end")
        wait_until(lambda: not killed & set(self._ready()), "that to be known")

    def result(self) -> object:
        """Return what a message comes to."""
        receipt = self.store.queue("mail").enqueue(b"")
        (delivery,) = self.store.deliveries(limit=1)
        assert delivery.message_id == receipt.message_id
        wait_until(lambda: self._state(delivery.id) == "done", "it is handled")
        content = self.store.content(delivery.id)
        assert content is not None
        return content.result

    def _state(self, id: int) -> str:
        delivery = self.store.delivery(id)
        assert delivery is not None
        return delivery.state

    def events(self, event: str) -> list[dict[str, object]]:
        """Return the lines of the log about something."""
        lines = (self.folder / "stderr").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each["event"] == event]

    def told(self, event: str, count: int = 1) -> list[dict[str, object]]:
        """Wait for so many lines about something, which the supervisor passes on; return them."""
        wait_until(lambda: len(self.events(event)) >= count, event)
        return self.events(event)

    def reload(self, ends: str) -> dict[str, object]:
        """Have it reload; return the line that says how that ended."""
        before = len(self.events(ends))
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.events(ends)) > before, ends)
        return self.events(ends)[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an app of two modules, and a file that it reads."""
    (tmp_path / "hooks.py").write_text(APP)
    (tmp_path / "helper.py").write_text("VERSION = 'one'")
    (tmp_path / "greeting.txt").write_text("!")
    return tmp_path


@contextlib.contextmanager
def _pool(folder: Path, *words: str):  # type: ignore[no-untyped-def]
    arguments = fencepost(*words, "--start-timeout", "3")
    with running(arguments, cwd=folder) as process, connect(folder / "store.db") as store:
        line_of(process)
        yield Pool(folder, process, store)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


# RELOAD-1
def test_a_failed_reload_leaves_the_code_that_loaded_last(folder: Path) -> None:
    with _pool(folder, "work", "hooks.py", "--workers", "2") as pool:
        before = pool.pids(2)
        for kind, code in BROKEN.items():
            (folder / "hooks.py").write_text(code)
            said = pool.reload("not reloaded: the old code stays in use")
            assert said["error"], kind
            assert pool.pids(2) == before, kind
        pool.kill_all()
        before = pool.pids(2)
        assert pool.result() == "one!"

        (folder / "hooks.py").write_text(APP + "\napp.task('fax')(lambda message, ctx: None)\n")
        (folder / "helper.py").write_text("VERSION = 'number two'")
        pool.reload("reloaded")
        assert pool.result() == "number two!"
        wait_until(
            lambda: pool.store.pools()[0].queues == ("mail", "fax", "outbox"), "what it serves now"
        )
        assert not before & pool.pids(2)


def _edit(folder: Path) -> None:
    (folder / "hooks.py").write_text("def (")


def _lose_a_module(folder: Path) -> None:
    (folder / "helper.py").unlink()


def _lose_a_file(folder: Path) -> None:
    (folder / "greeting.txt").unlink()


def _change_without_a_reload(folder: Path) -> None:
    (folder / "helper.py").write_text("VERSION = 'changed'")


def _lose_everything(folder: Path) -> None:
    for each in (*folder.glob("*.py"), folder / "greeting.txt"):
        each.unlink()
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)


# RELOAD-2
def test_a_dead_worker_is_replaced_whatever_became_of_the_files(folder: Path) -> None:
    harms: list[Callable[[Path], None]] = [
        _edit,
        _change_without_a_reload,
        _lose_a_module,
        _lose_a_file,
        _lose_everything,
    ]
    with _pool(folder, "work", "hooks.py", "--workers", "1") as pool:
        for harm in harms:
            pool.pids(1)
            with contextlib.suppress(FileNotFoundError):
                harm(folder)
            pool.kill_all()
            assert pool.result() == "one!", harm


# RELOAD-10
def test_the_process_with_the_app_is_replaced_whatever_became_of_the_files(folder: Path) -> None:
    harms = [_edit, _change_without_a_reload, _lose_a_module]
    with _pool(folder, "work", "hooks.py", "--workers", "1") as pool:
        for count, harm in enumerate(harms, 1):
            pool.pids(1)
            harm(folder)
            (app,) = named("fp-app", pool.process.pid)
            os.kill(app, signal.SIGKILL)
            wait_until(lambda app=app: is_gone(app), "its end")  # type: ignore[misc]
            pool.kill_all()
            assert pool.result() == "one!", harm
            lines = pool.told("the app process is started again", count)
            assert [line["level"] for line in lines] == ["warning"] * count
        assert not pool.events("cannot load the app")

        (folder / "hooks.py").write_text(APP)
        (folder / "helper.py").write_text("VERSION = 'number two'")
        pool.reload("reloaded")
        assert pool.result() == "number two!"


# RELOAD-10
def test_what_lies_beside_a_module_is_found_when_the_app_is_loaded_again(folder: Path) -> None:
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "data.txt").write_text("data")
    (folder / "helper.py").write_text(
        "from importlib import resources\n"
        "VERSION = (resources.files('package') / 'data.txt').read_text()\n"
    )
    with _pool(folder, "work", "hooks.py", "--workers", "1") as pool:
        (app,) = named("fp-app", pool.process.pid)
        os.kill(app, signal.SIGKILL)
        pool.pids(1)
        pool.kill_all()
        assert pool.result() == "data!"


# RELOAD-10
def test_an_app_that_cannot_be_loaded_again_is_an_error_until_it_can(folder: Path) -> None:
    with _pool(folder, "work", "hooks.py", "--workers", "1") as pool:
        pool.pids(1)
        (folder / "greeting.txt").unlink()
        (app,) = named("fp-app", pool.process.pid)
        os.kill(app, signal.SIGKILL)
        assert pool.told("cannot load the app")[0]["level"] == "error"
        (folder / "greeting.txt").write_text("?")
        pool.kill_all()
        assert pool.result() == "one?"


# RELOAD-3
def test_a_dead_receiver_is_replaced_from_the_code_that_loaded_last(folder: Path) -> None:
    words = fencepost("serve", "hooks.py", "--port", "0")
    with running(words, cwd=folder) as process:
        port = int(line_of(process).split()[2].rpartition(":")[2])
        (folder / "hooks.py").write_text("def (")
        (receiver,) = named("fp-receiver", process.pid)
        os.kill(receiver, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{receiver}").exists(), "its end")
        assert _status(port) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


# RELOAD-4
def test_a_receiver_goes_on_when_its_pool_cannot(folder: Path) -> None:
    failing = THREADED + (
        "if multiprocess.current_process().name == 'fencepost-worker' and not (here / 'go').exists():"
        "\n    raise SystemExit(1)\n"
    )
    (folder / "hooks.py").write_text(APP + failing)
    with running(fencepost("up", "hooks.py", "--port", "0"), cwd=folder) as process:
        port = int(line_of(process).split()[2].rpartition(":")[2])
        assert _status(port) == 200
        with connect(folder / "store.db") as store:
            Pool(folder, process, store).told("a process does not start: it is retried")
        (folder / "go").touch()
        wait_until(lambda: workers_of(folder / "store.db"), "workers, in the end")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


# RELOAD-5
def test_an_app_that_cannot_be_forked_is_imported_by_each_worker(folder: Path) -> None:
    (folder / "hooks.py").write_text(APP + THREADED)
    with _pool(folder, "work", "hooks.py", "--workers", "2") as pool:
        (line,) = pool.told("each process imports the app itself")
        assert "threads" in str(line["why"])
        assert pool.result() == "one!"
        (folder / "hooks.py").write_text("def (")
        (folder / "helper.py").unlink()
        before = pool.pids(2)
        pool.reload("not reloaded: the old code stays in use")
        assert pool.pids(2) == before
        pool.kill_all()
        pool.pids(2)
        assert pool.result() == "one!"

        (folder / "hooks.py").write_text(APP + THREADED)
        (folder / "helper.py").write_text("VERSION = 'number two'")
        pool.reload("reloaded")
        assert pool.result() == "number two!"


# RELOAD-5
@pytest.mark.parametrize(
    "line",
    [
        "import socket; pair = socket.socketpair()",
        "import asyncio; loop = asyncio.new_event_loop()",
        "import subprocess; child = subprocess.Popen(['sleep', '5'], stdout=-3, stderr=-3)",
        "file = open(__file__)",
    ],
)
def test_what_cannot_be_shared_is_found(folder: Path, line: str) -> None:
    (folder / "hooks.py").write_text(f"{APP}\n{line}\n")
    with _pool(folder, "work", "hooks.py", "--workers", "1") as pool:
        assert pool.told("each process imports the app itself")


# RELOAD-6
def test_what_every_worker_may_append_to_is_shared(folder: Path) -> None:
    (folder / "hooks.py").write_text(
        APP + "\nimport logging\nlogging.basicConfig(filename=here / 'log')\nprint('loaded')\n"
    )
    with _pool(folder, "work", "hooks.py", "--workers", "2") as pool:
        assert not pool.events("each process imports the app itself")
        assert pool.result() == "one!"


# RELOAD-9
def test_a_changed_file_reloads_the_app_while_it_is_developed(folder: Path) -> None:
    words = fencepost("up", "hooks.py", "--reload", "--workers", "1", "--port", "0")
    with running(words, cwd=folder) as process, connect(folder / "store.db") as store:
        line_of(process)
        pool = Pool(folder, process, store)
        assert pool.result() == "one!"
        (folder / "helper.py").write_text("VERSION = 'number two'")
        wait_until(lambda: pool.events("reloaded"), "the reload")
        assert pool.result() == "number two!"
        (folder / "helper.py").write_text("def (")
        wait_until(lambda: pool.events("not reloaded: the old code stays in use"), "the verdict")
        assert pool.result() == "number two!"
        # A module that was missing is a change, too.
        (folder / "helper.py").write_text("from more import VERSION")
        wait_until(
            lambda: len(pool.events("not reloaded: the old code stays in use")) == 2, "no more"
        )
        (folder / "more.py").write_text("VERSION = 'three'")
        wait_until(lambda: len(pool.events("reloaded")) == 2, "the second reload")
        assert pool.result() == "three!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


def _status(port: int) -> int:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    ) as sender:
        sender.request("GET", "/healthz")
        return sender.getresponse().status
