"""`fencepost work` as a child of a scenario, which it replaces itself with."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from ..harness.child_processes import Me
from .environment import environment

LEASE_SECONDS = 30.0


def work(
    me: Me,
    folder: Path,
    module: str,
    workers: int,
    lease: float,
    canary: str | None,
    *options: str,
) -> None:
    """Become the pool of an app's module; its log is in the folder, under the child's name."""
    os.chdir(folder)
    log = os.open(f"{me.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    arguments = ["work", f"{module}:app", "--workers", str(workers), "--lease", str(lease)]
    arguments += options
    command = [sys.executable, "-m", "fencepost", *arguments]
    os.execve(sys.executable, command, environment(lease, canary))


def is_up(folder: Path, name: str) -> bool:
    """True once all workers of the pool of that name have been up."""
    with suppress(FileNotFoundError):
        return "processing queue" in (folder / f"{name}.log").read_text()
    return False


def complaints(folder: Path) -> list[str]:
    """Return the lines that pools in this folder have logged as errors, or did not log at all.

    Dead letters are for the scenario to judge.
    """
    return [
        line
        for path in sorted(folder.glob("*.log"))
        for line in path.read_text().splitlines()
        if '"event": "dead letter"' not in line
        if '"level": "error"' in line or "Traceback" in line
    ]
