"""Commands whose standard streams are closed, as init scripts and daemons start them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fencepost import connect

from ..processes import PATIENCE_SECONDS, fencepost, wait_until

APP = """
import os
from fencepost import App

app = App("hooks.db")


@app.task("mail")
def mail(message, ctx):
    print("to stdout")
    os.system("echo to stdout; cat; echo to stderr >&2")
"""


# PROCESS-15
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_pool_works_though_its_standard_streams_are_closed(tmp_path: Path, closed: str) -> None:
    (tmp_path / "hooks.py").write_text(APP)
    with connect(str(tmp_path / "hooks.db")) as store:
        queue = store.queue("mail")
        queue.enqueue(b"")
        words = [sys.executable, *fencepost("up", "hooks.py", "--workers", "1", "--port", "0")]
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *words]
        with subprocess.Popen(shell, cwd=tmp_path, stdin=subprocess.DEVNULL) as pool:
            try:
                wait_until(lambda: queue.stats().done or pool.poll() is not None, "it is handled")
                pool.terminate()
                assert pool.wait(PATIENCE_SECONDS) == 0
            finally:
                pool.kill()

        assert queue.stats().done == 1
        assert store.probe().ok
