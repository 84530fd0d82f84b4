"""`fencepost work` as a child of a scenario, which it replaces itself with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..fleet import Me
from .app import CANARY, LEASE

LEASE_SECONDS = 30.0


def work(
    me: Me,
    folder: Path,
    workers: int,
    lease: float,
    canary: str | None,
    module: str = "fencepost.stress.pools.app",
) -> None:
    """Become the pool of an app's module; its log is in the folder, under the child's name."""
    os.chdir(folder)
    log = os.open(f"{me.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    arguments = ["work", f"{module}:app", "--workers", str(workers), "--lease", str(lease)]
    environment = {**os.environ, LEASE: str(lease), CANARY: canary or ""}
    os.execve(sys.executable, [sys.executable, "-m", "fencepost", *arguments], environment)


def complaints(folder: Path) -> list[str]:
    """Return the lines that pools in this folder have logged as errors, or did not log at all."""
    return [
        line
        for path in sorted(folder.glob("*.log"))
        for line in path.read_text().splitlines()
        if '"level": "error"' in line or "Traceback" in line
    ]
