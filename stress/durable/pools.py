"""The pools of durable handlers: killed, stopped past their leases, and reloaded with other code."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from ...store import connect
from ...store.errors import StoreBusy
from ..harness.run import Run
from ..harness.waiting import until
from ..machine.processes import is_stopped, kill, living_in, name_of, workers_of
from ..pools.command import is_up, work
from .notes import Note, Notes

_BUSY_SECONDS = 0.5


class Pools:
    """Pools on one store, each with the same app."""

    def __init__(self, run: Run, notes: Notes, app: str, count: int = 2) -> None:
        self._run = run
        self._notes = notes
        self._version = 0
        self._met: set[Path] = set()
        (run.folder / "version").write_text("0")
        workers, lease, canary = int(run.size["workers"]), run.size["lease"], run.canary
        self._pools = [
            run.start(f"pool-{number}", work, run.folder, app, workers, lease, canary)
            for number in range(count)
        ]
        for pool in self._pools:
            until(lambda name=pool.name: is_up(run.folder, name), "the pool is up")  # type: ignore[misc]

    def strike(self) -> None:
        """Kill a worker, whatever it is doing."""
        pool = self._run.random.choice(self._pools)
        if found := workers_of(pool.pid):
            pid = self._run.random.choice(found)
            try:
                name = name_of(pid)
            except FileNotFoundError:
                return
            self._notes.write(Note("struck", 0, says=name))
            if kill(pid, parent=pool.pid):
                self._run.fault("worker killed")

    def reload(self) -> None:
        """Have all pools go on with the next version of the code."""
        self._version += 1
        new = self._run.folder / "version.new"
        new.write_text(str(self._version))
        new.replace(self._run.folder / "version")
        for pool in self._pools:
            os.kill(pool.pid, signal.SIGHUP)
        self._run.fault("code changed")

    def look(self) -> None:
        """Let a worker that has stopped itself go on once another has its delivery."""
        for path in self._waiting():
            worker, supervisor = map(int, path.read_text().split())
            self._stop(path.name.rpartition("-")[2], worker, supervisor)
            self._met.add(path)

    def end(self) -> None:
        """Tell them to finish what is begun, and to exit."""
        for pool in self._pools:
            os.kill(pool.pid, signal.SIGTERM)
        for pool in self._pools:
            pool.join()
            code = pool.exit_code
            self._run.check("runs-through", code == 0, f"{pool.name} exited with {code}")

    def _waiting(self) -> list[Path]:
        return [each for each in self._run.folder.glob("stopped-*") if each not in self._met]

    def _stop(self, id: str, worker: int, supervisor: int) -> None:
        """Stop a whole pool, which renews its leases, until another has claimed the delivery."""
        until(lambda: is_stopped(worker), "it has stopped itself", pause=0.001)
        stopped = {int(each.read_text().split()[0]) for each in self._waiting()}
        held = [pid for pid in (supervisor, *workers_of(supervisor)) if pid not in stopped]
        for pid in held:
            if pid != supervisor:
                self._notes.write(Note("struck", 0, step="halted", says=name_of(pid)))
            self._halt(pid)
        self._run.fault("pool stopped past its leases")
        second, late = (self._run.folder / f"{kind}-{id}" for kind in ("second", "late"))
        try:
            until(second.exists, "another has claimed it")
            os.kill(worker, signal.SIGCONT)
            until(lambda: late.exists() or worker not in living_in(self._run.folder), "it tried")
        finally:
            late.touch()
            for pid in held:
                with suppress(ProcessLookupError):  # its supervisor has ended it meanwhile
                    os.kill(pid, signal.SIGCONT)

    def _halt(self, pid: int) -> None:
        """Stop a process at a moment when it does not hold the store's lock."""

        def halted() -> bool:
            os.kill(pid, signal.SIGSTOP)
            until(lambda: is_stopped(pid), "it is stopped", pause=0.001)
            try:
                with connect(self._run.folder / "store.db", busy_timeout=_BUSY_SECONDS) as store:
                    store.queue("elsewhere").enqueue(b"")
            except StoreBusy:
                os.kill(pid, signal.SIGCONT)
                return False
            return True

        until(halted, "it is stopped and holds no lock")
