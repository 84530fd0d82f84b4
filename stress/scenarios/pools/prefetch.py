"""A pool that claims ahead, whose workers are killed or stuck while they hold what has not begun.

A victim is stopped first, so that what it holds and has not begun can be read from the store;
then it is killed. Now and then a handler holds the interpreter for longer than all of that
may wait.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from ....store import connect
from ...harness.run import Run
from ...harness.scenario import Scenario, sizes
from ...harness.waiting import until
from ...machine.processes import is_stopped, kill, workers_of
from ...pools.apps import ahead
from ...pools.command import LEASE_SECONDS, complaints, is_up, work
from ...records.census import integrity
from ...records.percentiles import quantile, quantiles

_BACKLOG = 1000
_BEHIND = 60
_PAUSE_SECONDS = 0.02
_MOST = 0.999  # a machine with other work lets some wait for a core
_TRIES = 50  # most of the time a worker waits for a commit, and has begun all


class _Struck(NamedTuple):
    """A worker that was killed, or became stuck, with what it had claimed and not begun."""

    how: str
    pid: int
    at: int
    unbegun: list[str]


def run(run: Run) -> None:
    """Kill and block workers, and judge what became of what they held."""
    site = _Site(run)
    kills, stucks = int(run.size["kills"]), int(run.size["stucks"])
    for number in range(kills):
        run.progress(number / kills, f"{number} killed")
        site.strike()
        if stucks and (number + 1) % max(1, kills // stucks) == 0:
            site.block()
    site.end()
    site.judge()


class _Site:
    """The store, and the one pool that works on it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._store = connect(run.folder / "store.db")
        self._queue = self._store.queue(ahead.QUEUE)
        with self._store.transaction() as tx:
            tx.execute(ahead.EFFECTS)
        self._tries = ahead.Tries(run.folder)
        self._enqueued: list[str] = []
        self._struck: list[_Struck] = []
        self._killed: set[int] = set()
        workers, canary = int(run.size["workers"]), run.canary
        self._pool = run.start(
            "pool", work, run.folder, ahead.__name__, workers, LEASE_SECONDS, canary
        )
        until(lambda: is_up(run.folder, "pool"), "the pool is up")

    def strike(self) -> None:
        """Kill a worker that holds what it has not begun, while another works."""
        pid, unbegun = 0, list[str]()
        for _ in range(_TRIES):
            time.sleep(self._run.random.uniform(0, _PAUSE_SECONDS))
            pid = self._run.random.choice(self._at_work())
            _stop(pid)
            if unbegun := self._unbegun(pid):
                break
            os.kill(pid, signal.SIGCONT)
        at = time.monotonic_ns()
        assert kill(pid, parent=self._pool.pid)
        self._killed.add(pid)
        self._struck.append(_Struck("killed", pid, at, unbegun))
        self._run.fault("worker killed")

    def block(self) -> None:
        """Have a handler hold the interpreter while others wait behind it."""
        self._at_work()
        key = f"stuck-{len(self._enqueued)}"
        behind = [f"behind-{len(self._enqueued)}-{number}" for number in range(_BEHIND)]
        self._enqueue([key], b"stuck", 1)
        self._enqueue(behind, b"", 1)

        def begun() -> bool:
            self._tries.look()
            return key in self._tries.of

        until(begun, "it is begun", pause=0.001)
        found = self._tries.of[key][-1]
        self._struck.append(_Struck("stuck", found.pid, found.at, self._unbegun(found.pid)))
        self._run.fault("handler stuck")
        # A kill meanwhile could leave no worker that begins them elsewhere.
        until(lambda: self._are_begun(behind), "those behind it are begun")

    def end(self) -> None:
        """Let all be handled, and stop the pool."""
        run, deadline = self._run, time.monotonic() + self._run.size["patience"]
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        run.check("never-stuck", not left, f"{left} messages are not at their end")
        os.kill(self._pool.pid, signal.SIGTERM)
        self._pool.join()
        run.check("typed-errors", self._pool.exit_code == 0, f"it exited {self._pool.exit_code}")
        for line in complaints(run.folder):
            run.broken("typed-errors", f"the pool said: {line}")
        says = integrity(run.folder / "store.db")
        run.check("integrity", says == "ok", says)

    def judge(self) -> None:
        """Hold what handlers noted against what the store and the kills say."""
        run, tries = self._run, self._tries
        tries.look()
        done = self._queue.stats().done
        run.check("nothing-lost", done == len(self._enqueued), f"{done} of {len(self._enqueued)}")
        effects = Counter(key for (key,) in self._store.read("select key from effects"))
        run.check(
            "effects-once", max(effects.values(), default=0) <= 1, f"{effects.most_common(1)}"
        )
        run.checked("not-handled-twice", len(tries.of))
        for key, found in tries.of.items():
            for first, again in pairwise(found):
                if first.pid not in self._killed or tries.last[first.pid] != first:
                    run.broken("not-handled-twice", f"{key} by {first.pid}, and by {again.pid}")
        self._judge_attempts()
        self._judge_waits()

    def _judge_attempts(self) -> None:
        """Each kill may hit one handler between its beginning and its first line, and no more."""
        more = sum(max(0, found[-1].attempt - len(found)) for found in self._tries.of.values())
        self._run.check(
            "only-begun-counts",
            more <= len(self._killed),
            f"{more} attempts of which no handler knows, in {len(self._killed)} kills",
        )

    def _judge_waits(self) -> None:
        run, waits = self._run, dict[str, list[float]]()
        for how in ("killed", "stuck"):
            waits[how] = sorted(
                self._wait(each, key)
                for each in self._struck
                if each.how == how
                for key in each.unbegun
            )
            for name, seconds in quantiles(waits[how]).items():
                run.figure(f"{how}_to_begin_elsewhere_{name}_s", round(min(seconds, 999.0), 3))
            worst = quantile(waits[how], _MOST)
            run.check(
                "handled-again-in-time",
                worst <= run.size["again"],
                f"what a {how} worker had not begun was begun after {worst:.2f} s",
            )
        run.figure("unbegun", sum(map(len, waits.values())))
        run.says(
            "; ".join(
                f"{sum(each.how == how for each in self._struck)} workers {how}, {len(found)} not"
                f" begun, begun again in p99.9 {quantile(found, _MOST):.2f} s"
                for how, found in waits.items()
            )
        )

    def _wait(self, struck: _Struck, key: str) -> float:
        """Return after how many seconds somebody began what a worker had not begun."""
        after = (each.at - struck.at for each in self._tries.of[key] if each.at > struck.at)
        return min(after, default=math.inf) / 1e9

    def _unbegun(self, pid: int) -> list[str]:
        """Return what a process that makes no progress holds and has not begun."""
        found = self._store.deliveries(state="leased", limit=1000)
        held = [each.key for each in found if each.holder == pid and each.key is not None]
        self._tries.look()
        return [key for key in held if not self._tries.begun_by(key, pid)]

    def _are_begun(self, keys: list[str]) -> bool:
        self._tries.look()
        return all(key in self._tries.of for key in keys)

    def _at_work(self) -> list[int]:
        """Return the workers that have begun something and are not stuck, once there are two."""
        alive: list[int] = []

        def two() -> bool:
            self._feed()
            self._tries.look()
            begun = {
                pid
                for pid, each in self._tries.last.items()
                if pid not in self._killed and not each.key.startswith("stuck")
            }
            alive[:] = [pid for pid in workers_of(self._pool.pid) if pid in begun]
            return len(alive) > 1

        until(two, "two workers are at work")
        return alive

    def _feed(self) -> None:
        if self._queue.stats().ready < _BACKLOG:
            first = len(self._enqueued)
            self._enqueue([f"short-{first + number}" for number in range(_BACKLOG)], b"", 0)

    def _enqueue(self, keys: list[str], body: bytes, priority: int) -> None:
        messages = [{"body": body, "key": key, "priority": priority} for key in keys]
        self._queue.enqueue_many(messages)
        self._enqueued += keys

    def _left(self) -> int:
        stats = self._queue.stats()
        return stats.ready + stats.scheduled + stats.leased


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    until(lambda: is_stopped(pid), "it is stopped", pause=0.001)


SCENARIO = Scenario(
    "prefetch",
    "workers that have claimed ahead are killed or stuck",
    run,
    sizes=sizes(
        "kills stucks workers again patience",
        canary=(6, 2, 3, 1, 6),
        ci=(8, 2, 3, 3, 60),
        nightly=(1000, 50, 4, 1, 120),
    ),
    canaries={
        "unbegun-counts": "only-begun-counts",
        "nothing-given-back": "handled-again-in-time",
        "stuck-keeps-all": "handled-again-in-time",
        "begins-what-was-taken": "not-handled-twice",
    },
    invariants={
        "only-begun-counts": "what a worker has claimed ahead and not begun counts as no attempt",
    },
    grows=("kills", "stucks"),
)
