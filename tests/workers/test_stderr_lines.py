"""Whatever a handler does to stderr, each line of it is a JSON object."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fencepost.stress.machine.processes import workers_of

from ..processes import running, wait_until
from .conftest import Site

NOISES = {
    "print": "print('first\\nsecond', file=sys.stderr)",
    "unfinished": "print('unfinished', end='', file=sys.stderr, flush=True)",
    "bytes": "os.write(2, b'\\xffbytes\\n')",
    "program": "subprocess.run(['sh', '-c', 'echo program >&2; exit 3'])",
    "device": "subprocess.run(['sh', '-c', 'echo device > /dev/stderr'])",
    "logging": "logging.warning('logged'); warnings.warn('warned')",
    "thread": "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
    "crash": "print('last words', file=sys.stderr); ctx.attempt > 1 or os.abort()",
    "kill": "os.write(2, b'killed'); ctx.attempt > 1 or os.kill(os.getpid(), 9)",
    "long": "print('x' * 100_000, file=sys.stderr)",
    "json": 'print(\'{"of": "the app"}\', file=sys.stderr)',
    "no json": "print('{not json}', file=sys.stderr)",
    "closed": "os.close(2)",
    "failure": "raise RuntimeError('line 1\\nline 2')",
}

HANDLERS = f"""
import logging, subprocess, sys, threading, warnings

print("at import", file=sys.stderr)
NOISES = {NOISES!r}


@app.task("noisy", max_attempts=2, backoff=0.01)
def noisy(message, ctx):
    exec(NOISES[message.key], {{**globals(), "ctx": ctx}})
"""


# PROCESS-14
def test_each_line_on_stderr_is_a_json_object(site: Site) -> None:
    with (site.folder / "app.py").open("a") as file:
        file.write(HANDLERS)
    for name in NOISES:
        site.store.queue("noisy").enqueue(b"", key=name)

    with running(site.work("--drain", "--workers", "3"), cwd=site.folder) as pool:
        assert pool.wait(timeout=90) == 0

    lines: list[dict[str, Any]] = [
        json.loads(line) for line in (site.folder / "stderr").read_text().splitlines()
    ]
    said = " ".join(line["event"] for line in lines if line.get("stream") == "stderr")
    for text in ("at import", "first", "second", "unfinished", "\\xffbytes", "program", "device"):
        assert text in said
    for text in ("WARNING:root:logged", "last words", "killed", "{not json}"):
        assert text in said
    assert any("ZeroDivisionError" in str(line) for line in lines)
    assert sum(line["event"] == "handled" for line in lines if "event" in line) == len(NOISES) - 1
    assert said.count("x") >= 100_000
    assert {"of": "the app"} in lines
    assert site.store.queue("noisy").stats().done == len(NOISES) - 1


# PROCESS-14
def test_each_worker_writes_to_a_pipe_of_its_own(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        workers = wait_until(
            lambda: found if len(found := workers_of(pool.pid)) == 2 else [], "two workers"
        )
        wait_until(lambda: len(site.store.workers()) == 2, "both are up")
        pipes = {os.readlink(f"/proc/{pid}/fd/2") for pid in workers}

    assert len(pipes) == 2
    assert all(pipe.startswith("pipe:") for pipe in pipes)


# PROCESS-14
@pytest.mark.parametrize("app", ["1 / 0", "import sys; print('so far', file=sys.stderr); app = 3"])
def test_a_command_that_is_refused_says_so_in_its_one_line(tmp_path: Path, app: str) -> None:
    (tmp_path / "app.py").write_text(app)

    with running(["-m", "fencepost", "work", "app.py"], cwd=tmp_path) as pool:
        assert pool.wait(timeout=90) == 2

    *rest, last = (tmp_path / "stderr").read_text().splitlines()
    assert last.startswith("Error: ")
    assert all(json.loads(line)["event"] == "so far" for line in rest)
