"""A pool that is killed and stopped, and its successors."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from ..harness.run import Run
from ..machine.processes import app_of, children, forkserver_of, kill, name_of, workers_of
from .apps import app
from .command import is_up, work


class Pool:
    """A pool, and then its successors by the same command."""

    def __init__(self, run: Run, name: str, folder: Path, lease: float) -> None:
        self._run = run
        self._name = name
        self._folder = folder
        self._lease = lease
        self._generation = 0
        self.start()

    def start(self) -> None:
        """Start it, or its successor."""
        workers, canary = int(self._run.size["workers"]), self._run.canary
        name = f"{self._name}-{self._generation}"
        self._child = self._run.start(
            name, work, self._folder, app.__name__, workers, self._lease, canary
        )
        self._generation += 1
        self.is_ending = False

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._child.pid

    def workers(self) -> list[int]:
        """Return its workers that have had a message, eldest first."""
        found = []
        for pid in workers_of(self._child.pid):
            with suppress(FileNotFoundError):
                history = self._folder / "history" / f"worker-{name_of(pid)}.jsonl"
                if b'"ok"' in history.read_bytes():
                    found.append(pid)
        return found

    def processes(self) -> list[int]:
        """Return all its processes: those of which workers have only just been forked too."""
        return children(self._child.pid)

    def is_up(self) -> bool:
        """True once all its workers have been."""
        return is_up(self._folder, self._child.name)

    def kill_worker(self, pid: int) -> bool:
        """Kill one of its workers; False when that is gone."""
        return kill(pid, parent=self._child.pid)

    def kill_forkserver(self) -> bool:
        """Kill what the process with the app is forked from; False when there is none."""
        pid = forkserver_of(self._child.pid)
        return pid is not None and kill(pid, parent=self._child.pid)

    def kill_app(self) -> bool:
        """Kill what its workers are forked from; False when that has not loaded the app."""
        pid = app_of(self._child.pid)
        return pid is not None and kill(pid, parent=self._child.pid)

    def halt(self) -> None:
        """Stop the supervisor with SIGSTOP."""
        self._child.stop()

    def kill(self) -> None:
        """Kill the supervisor; its workers die with it."""
        self._child.kill()
        self.is_ending = True

    def stop(self) -> None:
        """Tell it to finish what is begun, and to exit."""
        os.kill(self._child.pid, signal.SIGTERM)
        self.is_ending = True

    def has_ended(self) -> bool:
        """True when it is gone, which has to be as it was told."""
        if self._child.alive:
            return False
        code = self._child.exit_code
        self._run.check(
            "typed-errors",
            self.is_ending and code in (0, -signal.SIGKILL),
            f"{self._name}: fencepost work ended with {code}",
        )
        return True
