"""Processes that are forked elsewhere, and yet are children of who asked for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fencepost.stress.harness.forkserver import Forkserver, Process

from ..processes import PATIENCE_SECONDS, is_gone, line_of, wait_until


def _tell(line: int, *arguments: object) -> None:
    names = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    os.write(line, json.dumps([os.getppid(), arguments, names]).encode())


def _raise(line: int) -> None:
    raise ZeroDivisionError


def _stay(line: int) -> None:
    os.write(line, b"here")
    signal.pause()


def _start(forkserver: Forkserver, entry: object, *arguments: object) -> tuple[Process, int]:
    ours, theirs = os.pipe()
    process = forkserver.start(entry, *arguments, fds=(theirs,))  # type: ignore[arg-type]
    os.close(theirs)
    return process, ours


def test_a_child_is_that_of_who_asked_and_has_nothing_but_what_it_was_given(
    forkserver: Forkserver, tmp_path: Path
) -> None:
    with open(tmp_path / "open", "w"):
        process, line = _start(forkserver, _tell, 1, "two")
        parent, arguments, names = json.loads(os.read(line, 4096))
        os.close(line)

    assert process.join(PATIENCE_SECONDS)
    assert process.exit_code == 0
    assert (parent, arguments) == (os.getpid(), [1, "two"])
    assert not [name for name in names if name.startswith(str(tmp_path))]


def test_one_that_raises_ends_with_1(forkserver: Forkserver) -> None:
    process, line = _start(forkserver, _raise)
    os.close(line)

    assert process.join(PATIENCE_SECONDS)
    assert process.exit_code == 1


def test_one_that_is_killed_is_gone(forkserver: Forkserver) -> None:
    process, line = _start(forkserver, _stay)
    assert os.read(line, 4) == b"here"
    assert process.exit_code is None
    assert not process.join(0)

    process.kill()

    assert process.exit_code == -signal.SIGKILL
    assert os.read(line, 4) == b""
    os.close(line)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


_PARENT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from fencepost.stress.harness.forkserver import Forkserver
from tests.stress.test_forkserver import _stay, _start
for forkserver in (Forkserver.begin(), Forkserver.fork()):
    process, line = _start(forkserver, _stay)
    os.read(line, 4)
    print(process.pid, forkserver._process.pid, flush=True)
signal.pause()
"""


def test_all_die_with_their_parent() -> None:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, root], stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(pid) for _ in range(2) for pid in line_of(parent).split()]
        parent.kill()

    wait_until(lambda: all(map(is_gone, pids)), "all are gone")
