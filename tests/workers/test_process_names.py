"""What the processes of a pool are called where an operator sees them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fencepost import connect
from fencepost.linux.process_name import show_role

from ..processes import PATIENCE_SECONDS, children_of, fencepost, line_of, running, wait_until
from .conftest import Site

APP = """
import subprocess
from fencepost import App

app = App("store.db")
app.source("hooks", scheme="hmac", secret="s", key="body")


@app.task("asking")
def asking(message, ctx):
    return subprocess.run(["cat", "/proc/self/comm"], capture_output=True, text=True).stdout
"""


# PROCESS-16
def test_each_process_of_a_pool_carries_its_role_as_its_name(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    up = fencepost("up", "app.py", "--workers", "2", "--port", "0")
    with running(up, cwd=tmp_path) as supervisor:
        line_of(supervisor)

        names = sorted(children_of(supervisor.pid).values())

        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(timeout=PATIENCE_SECONDS) == 0
    assert names == ["fp-app", "fp-forkserver", "fp-receiver", "fp-worker", "fp-worker"]


# PROCESS-16
def test_programs_that_handlers_start_have_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with connect(tmp_path / "store.db") as store:
        store.queue("asking").enqueue(b"")
        work = fencepost("work", "app.py", "--workers", "1", "--drain")
        with running(work, cwd=tmp_path) as pool:
            assert pool.wait(timeout=PATIENCE_SECONDS) == 0
        (delivery,) = store.deliveries()
        content = store.content(delivery.id)

    assert content is not None
    assert content.result == "cat\n"


# PROCESS-16
def test_commands_have_their_own_names(site: Site) -> None:
    command = site.folder / "command"
    command.write_text("#!/bin/sh\ncat /proc/$$/comm > name; mv name its-name\n")
    command.chmod(0o755)
    site.store.queue("mail").enqueue(b"")
    words = ("--exec", str(command), "--queue", "mail", "--store", str(site.path))
    with running(fencepost("work", *words), cwd=site.folder) as pool:
        name = wait_until((site.folder / "its-name").exists, "it")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=PATIENCE_SECONDS) == 0

    assert name
    assert (site.folder / "its-name").read_text() == "command\n"


def test_a_process_without_a_writable_proc_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path("/proc/self/comm").read_text()

    def refuse(*_: object) -> int:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr("os.open", refuse)
        show_role("worker")

    assert Path("/proc/self/comm").read_text() == before
