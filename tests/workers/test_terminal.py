"""A pool on a terminal that is closed: one of the kernel's own, not a double."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..processes import PATIENCE_SECONDS, fencepost, is_gone, wait_until

APP = """
import os, sys
from fencepost import App

app = App("store.db")


@app.task("printing")
def printing(message, ctx):
    for stream in (sys.stdout, sys.stderr):
        print("x" * 10_000, file=stream, flush=True)
    os.system("echo said by a program")
    return os.getpid()
"""

# Its own session, whose terminal is stdin: the kernel tells it when that is closed.
LEADER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
# As after `disown`: the terminal is another session's.
DISOWNED = "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


@contextlib.contextmanager
def _on_a_terminal(folder: Path, program: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a pool on a terminal; yield it once it is up, with the terminal's other end."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", program, *fencepost("work", "hooks.py", "--workers", "1")]
    process = subprocess.Popen(
        words, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        said = b""
        while b"1 worker is processing" not in said:
            said += os.read(ours, 4096)
        yield process, ours
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(ours)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store of an app whose handler prints."""
    (tmp_path / "hooks.py").write_text(APP)
    with connect(tmp_path / "store.db") as opened:
        yield opened


def _handled(store: Store) -> int:
    store.queue("printing").enqueue(b"")
    wait_until(lambda: store.deliveries(limit=1)[0].state in ("done", "dead"), "its end")
    content = store.content(store.deliveries(limit=1)[0].id)
    assert content is not None
    assert isinstance(content.result, int), content
    return content.result


# RELOAD-7
def test_a_pool_ends_cleanly_when_its_terminal_is_closed(tmp_path: Path, store: Store) -> None:
    with _on_a_terminal(tmp_path, LEADER) as (pool, terminal):
        worker = _handled_beside(store, terminal)
        os.close(terminal)
        assert pool.wait(PATIENCE_SECONDS) == 0
        assert is_gone(worker)
    assert store.pools() == []


# RELOAD-7
def test_a_hangup_reloads_while_the_terminal_is_open(tmp_path: Path, store: Store) -> None:
    with _on_a_terminal(tmp_path, LEADER) as (pool, terminal):
        before = _handled_beside(store, terminal)
        pool.send_signal(signal.SIGHUP)
        wait_until(lambda: b"reloaded" in os.read(terminal, 4096), "the reload")
        assert _handled_beside(store, terminal) != before
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0


# RELOAD-8
def test_what_handlers_print_to_a_closed_terminal_is_dropped(tmp_path: Path, store: Store) -> None:
    with _on_a_terminal(tmp_path, DISOWNED) as (pool, terminal):
        os.close(terminal)
        worker = _handled(store)
        assert _handled(store) == worker
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0


# RELOAD-8
def test_what_handlers_print_to_a_pipe_that_nobody_reads_is_dropped(
    tmp_path: Path, store: Store
) -> None:
    process = subprocess.Popen(
        [sys.executable, *fencepost("work", "hooks.py", "--workers", "1")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.stderr.close()
        _handled(store)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def _handled_beside(store: Store, terminal: int) -> int:
    """Have a message handled whose handler prints, and read what is printed."""
    store.queue("printing").enqueue(b"")
    said = b""
    while b"said by a program" not in said[-1000:]:
        said += os.read(terminal, 65_536)
    wait_until(lambda: store.deliveries(limit=1)[0].state == "done", "its end")
    content = store.content(store.deliveries(limit=1)[0].id)
    assert content is not None
    assert isinstance(content.result, int)
    return content.result
