"""Processes of pools, and their producers, killed and stopped at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

from ..harness.child_processes import Child
from ..machine.processes import children, kill, name_of
from ..records.history import Recorder
from .pool import Pool

CHILDREN = ("worker killed",) * 7 + ("forkserver killed", "app process killed")


def plan(chance: random.Random, kills: int) -> list[str]:
    """Return what is done to whom, in a random order: for `kills` kills, and some stops.

    The last is a forkserver, whose supervisor then lives long enough to be seen to clear it away.
    """
    few, workers = max(1, kills // 50), kills // 4
    each = ["supervisor killed"] * few + ["worker killed"] * workers
    each += ["forkserver killed"] * (few - 1) + ["app process killed"] * few
    each += ["producer killed"] * (kills - 1 - len(each)) + ["pool stopped"] * few
    chance.shuffle(each)
    return [*each, "forkserver killed"]


class Strikes:
    """Strikes, of which the history is told before.

    Attributes:
        with_pool: The workers that were killed together with their supervisor.
    """

    def __init__(self, chance: random.Random, history: Recorder) -> None:
        self.with_pool: set[str] = set()
        self._random = chance
        self._history = history

    def strike(self, kind: str, pools: Sequence[Pool], producers: Sequence[Child]) -> bool:
        """Kill or stop one of a kind; False when there is none."""
        if kind == "producer killed":
            mother = self._random.choice(producers)
            found = children(mother.pid)
            return bool(found) and kill(found[0], parent=mother.pid)
        pool = self._random.choice(pools)
        match kind:
            case "worker killed":
                return self._kill_worker(pool)
            case "forkserver killed":
                return pool.kill_forkserver()
            case "app process killed":
                return pool.kill_app()
            case "supervisor killed":
                return self._kill(pool)
            case _:
                return self._stop(pool)

    def _kill_worker(self, pool: Pool) -> bool:
        found = pool.workers()
        if not found:
            return False
        pid = self._random.choice(found)
        self._note(pid)
        return pool.kill_worker(pid)

    def _kill(self, pool: Pool) -> bool:
        if pool.is_ending or not pool.workers():
            return False
        pool.halt()  # so that it starts no more
        for pid in pool.processes():  # who is no worker has no history, and it is no matter
            if name := self._note(pid):
                self.with_pool.add(name)
        pool.kill()
        return True

    def _stop(self, pool: Pool) -> bool:
        if pool.is_ending or not pool.is_up():
            return False
        pool.stop()
        return True

    def _note(self, pid: int) -> str:
        with suppress(FileNotFoundError):
            name = f"worker-{name_of(pid)}"
            self._history.seen("killed", process=name)
            return name
        return ""
