"""Real processes for tests: started, waited for, and dead with the test by their own pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fencepost import StoreBusy, connect

# Generous: a busy machine may need long for what takes a second.
PATIENCE_SECONDS = 90.0


def wait_until(true: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return the first true answer; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.01)
    return answer


@contextlib.contextmanager
def running(
    arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python command line until the block ends; its stderr goes to cwd/stderr."""
    with (cwd / "stderr").open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()


def fencepost(*arguments: str) -> list[str]:
    """Return the arguments that run the command line."""
    return ["-m", "fencepost", *arguments]


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it ended with {process.wait()} and printed nothing"
    return line.strip()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to a process that waits for one."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def workers_of(store: Path) -> list[dict[str, Any]]:
    """Return the living workers, as the status command shows them."""
    shown = subprocess.run(
        [sys.executable, *fencepost("status", "--store", str(store), "--json")],
        check=True,
        capture_output=True,
        text=True,
    )
    pools = json.loads(shown.stdout)["pools"]
    return [worker for pool in pools for worker in pool["workers"] if worker["state"] != "lost"]


def children_of(pid: int) -> dict[int, str]:
    """Return the children of a process's main thread, with their names as ps shows them."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[int(child)] = Path(f"/proc/{child}/comm").read_text().strip()
    return found


def named(name: str, parent: int) -> list[int]:
    """Return the children of a process that have a name."""
    return [pid for pid, its in children_of(parent).items() if its == name]


def is_gone(pid: int) -> bool:
    """True once a process has ended; a zombie that nobody has waited for counts."""
    try:
        return _state(pid) == "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, or read
        return True


def is_stopped(pid: int) -> bool:
    """True once a process has been stopped by SIGSTOP."""
    return _state(pid) == "T"


def stop_outside_transactions(pid: int, store: str | Path) -> None:
    """Stop a process at a moment when it does not hold the store's lock, for which all would wait."""

    def stopped() -> bool:
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(pid), "it is stopped")
        with contextlib.suppress(StoreBusy), connect(store, busy_timeout=0.5) as opened:
            opened.queue("elsewhere").enqueue(b"")
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    wait_until(stopped, "it is stopped and holds no lock")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
