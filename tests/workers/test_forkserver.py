"""The process that workers are forked from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from multiprocess.connection import wait

from fencepost.app.loading.target import Target
from fencepost.linux.parentage import subreaper
from fencepost.workers.process import forkserver
from fencepost.workers.process.app.app_process import AppProcess, AppSpec
from fencepost.workers.process.forkserver import ForkServer

from ..processes import PATIENCE_SECONDS


# A machine under load takes longer than any answer may to start a process.
def test_a_forkserver_that_starts_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkserver, "_ANSWER_SECONDS", 0.001)
    started = ForkServer()
    try:
        started.keep_up()
        assert not started.is_up
        assert started.line is not None
        assert wait([started.line], PATIENCE_SECONDS)
        started.hear()
        assert started.is_up
    finally:
        started.end()


def test_an_app_process_that_nobody_learnt_of_ends_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text("from fencepost import App\napp = App('store.db')\n")
    load = Target(str(tmp_path / "app.py"))
    started = ForkServer()
    try:
        started.keep_up()
        assert started.line is not None
        assert wait([started.line], PATIENCE_SECONDS)
        started.hear()
        wanted = AppSpec(load, main=False, store="store.db", queues=None, seconds=PATIENCE_SECONDS)
        with subreaper():
            app = AppProcess(started, wanted)
            assert app.line is not None
            app.line.close()
            _, status = os.waitpid(app.pid, 0)
    finally:
        started.end()

    assert status == 0
    assert capfd.readouterr() == ("", "")


REPORTS = """
from multiprocess.connection import Pipe
from fencepost.workers.process.entry_point import report
theirs, ours = Pipe()
theirs.close()
report(ours, b"ready 1")
raise SystemExit("it goes on")
"""


def test_a_worker_that_nobody_learnt_of_ends_quietly() -> None:
    ended = subprocess.run([sys.executable, "-c", REPORTS], capture_output=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
