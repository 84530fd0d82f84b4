"""Children of a measurement: started in its place, their CPU time read, ended with all theirs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .place import Place
from .queue import Queue

_TICK = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 10.0
CALL_SECONDS = 120.0


class Failed(Exception):
    """A measurement cannot be finished; the text says why."""


def call(place: Place, verb: str, queue: Queue, *arguments: object) -> Any:
    """Run a verb of `child` and return what it prints."""
    command = [sys.executable, "-m", "bench.peers.child", verb, queue.name, *map(str, arguments)]
    done = subprocess.run(
        command,
        env=place.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=CALL_SECONDS,
    )
    if done.returncode != 0:
        raise Failed(f"{verb}: {_last(done.stderr)}")
    return json.loads(_last(done.stdout)) if done.stdout.strip() else None


class Workers:
    """The worker processes of one measurement."""

    def __init__(self, place: Place, queue: Queue, hang: int | None = None) -> None:
        self.log = place.folder / f"workers-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.started = [
                subprocess.Popen(
                    queue.command(),
                    env=place.environment(worker, hang),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for worker in range(queue.processes)
            ]

    def wait(self, met: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition, and return whether it was met in time."""
        deadline = time.monotonic() + seconds
        while not met():
            if any(each.poll() is not None for each in self.started):
                raise Failed(f"a worker ended: {_last(self.log.read_text(errors='replace'))}")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def cpu(self) -> float:
        """Return the seconds that they and their children have used."""
        return sum(cpu(each.pid) for each in self.started)

    def stop(self) -> None:
        """End them as an operator would, and by force when they do not."""
        for each in self.started:
            each.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for each in self.started:
            try:
                each.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                break
        self.kill()

    def kill(self) -> None:
        """Kill them and all that they started, with SIGKILL."""
        for each in self.started:
            for pid in [each.pid, *descendants(each.pid)]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            each.wait()


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process and of its children, ended ones too."""
    ticks = 0
    for each in [pid, *descendants(pid)]:
        fields = _stat(each)
        ticks += sum(int(field) for field in fields[11:15]) if fields else 0
    return ticks / _TICK


def descendants(pid: int) -> list[int]:
    """Return the processes below one, in no order."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            fields = _stat(int(path.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(path.name))
    found, left = [], [pid]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: 1 the parent, 11 to 14 CPU ticks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
