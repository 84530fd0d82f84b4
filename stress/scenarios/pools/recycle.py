"""Pools whose handlers leak, and that replace their workers by the dozen for that.

By the number of deliveries, by memory and by age, a pool each. At every look there are as
many workers that work as there should be; at rest the supervisor, the forkserver and all
workers together have as much memory as at first, and the supervisor as many descriptors.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter

from ....store import connect
from ....store.types.worker import Worker
from ...harness.child_processes import Child
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import until
from ...machine.processes import children, forkserver_of, resident, workers_of
from ...pools.apps import leaking
from ...pools.command import LEASE_SECONDS, complaints, is_up, work
from ...records.census import integrity

_WORKERS = 2
_OTHERS = 2  # the forkserver, and the process that has loaded the app
_MIB = 2**20
_MAX_MIB = 80  # half of it the interpreter's
_LOOK_SECONDS = 0.005
_MAX_HANDLED = 8
# Enough for one at least to be replaced.
_BATCHES = {"handled": _WORKERS * _MAX_HANDLED, "memory": 2 * _MAX_MIB + 40, "age": 16}
_LEAST_RESTS = 6
# What the least of the last third of all looks may have above the least of the first: what is
# left behind stays. What a start has open for a moment goes, if it is waited for.
_MORE_DESCRIPTORS = 2
_SETTLE_SECONDS = 10.0
_MORE_MIB = {"supervisor": 4.0, "forkserver": 4.0, "workers": 100.0}


def run(run: Run) -> None:
    """Recycle for each reason, and look all the while."""
    recycles = int(run.size["recycles"])
    pools: list[_Pool] = []
    for number, by in enumerate(("handled", "memory", "age")):
        pool = _Pool(run, by)
        pools.append(pool)
        while not pool.has_recycled(recycles // 3):
            pool.work_off()
            done = min(1.0, pool.recycled * 3 / recycles)
            run.progress((number + done) / 3, f"by {by}: {pool.recycled}")
            run.says(
                f"{sum(each.recycled for each in pools)} workers replaced, too few at work in"
                f" {sum(each.short for each in pools)} of {sum(each.looks for each in pools)} looks"
            )
            if run.canary and run.has_findings:
                return
        pool.end()
        if run.has_findings:
            break


class _Pool:
    """A pool that recycles for one reason, in a folder of its own.

    Attributes:
        recycled: How many workers have been replaced.
        looks: How often its workers were counted.
        short: In how many of these looks too few were at work.
    """

    def __init__(self, run: Run, by: str) -> None:
        self.recycled = self.looks = self.short = 0
        self._run = run
        self._by = by
        self._folder = run.folder / by
        self._folder.mkdir(mode=0o700)
        self._store = connect(self._folder / "store.db")
        self._enqueued = 0
        self._known: set[int] = set()
        self._rests: list[dict[str, float]] = []
        self._child = self._start()

    def has_recycled(self, times: int) -> bool:
        """True once so many workers have been replaced, and it was at rest often enough."""
        return self.recycled >= times and len(self._rests) >= _LEAST_RESTS

    def work_off(self) -> None:
        """Have a batch handled, and look all the while, until nobody is being replaced."""
        batch = _BATCHES[self._by]
        queue = self._store.queue(leaking.QUEUE)
        numbers = range(self._enqueued, self._enqueued + batch)
        queue.enqueue_many([{"body": b"", "key": str(number)} for number in numbers])
        self._enqueued += batch
        recycled = self.recycled
        until(
            lambda: (
                self._look()
                and self.recycled > recycled
                and queue.stats().ready == 0
                and self._rest()
            ),
            "it is at rest",
        )

    def end(self) -> None:
        """Stop the pool; judge what it took, and that each message was handled, and once."""
        run, queue = self._run, self._store.queue(leaking.QUEUE)
        until(lambda: queue.stats().ready + queue.stats().leased == 0, "all is handled")
        with contextlib.suppress(TimeoutError):
            until(self._is_settled, "it has no more open than at first", seconds=_SETTLE_SECONDS)
        os.kill(self._child.pid, signal.SIGTERM)
        self._child.join()
        code = self._child.exit_code
        run.check("typed-errors", code == 0, f"the pool ended with {code}")
        for line in complaints(self._folder):
            run.broken("typed-errors", f"the pool said: {line}")
        run.fault(f"recycled by {self._by}", self.recycled)
        handled = Counter((self._folder / "handled").read_text().split())
        for number in range(self._enqueued):
            times = handled[str(number)]
            run.check("nothing-lost", times > 0, f"{number} was not handled")
            run.check("not-handled-twice", times < 2, f"{number} was handled {times} times")
        says = integrity(self._folder / "store.db")
        run.check("integrity", says == "ok", says)
        self._judge_growth()
        self._store.close()

    def _start(self) -> Child:
        bound = {
            "handled": ("--max-handled", str(_MAX_HANDLED)),
            "memory": ("--max-memory", f"{_MAX_MIB}M"),
            "age": ("--max-age", "1"),
        }[self._by]
        child = self._run.start(
            f"pool-{self._by}",
            work,
            self._folder,
            leaking.__name__,
            _WORKERS,
            LEASE_SECONDS,
            self._run.canary,
            *bound,
        )
        until(lambda: is_up(self._folder, child.name), "the pool is up")
        self._known = {each.id for each in self._store.workers()}
        return child

    def _look(self) -> bool:
        """Look at the workers once; True when there are as many as are wanted, and no more."""
        workers = self._seen()
        # One that has registered works; it is told to leave only when the next has.
        working = {each.id for each in workers if each.state not in ("stopping", "lost")}
        self._run.check(
            "never-short",
            len(working) >= _WORKERS,
            f"by {self._by}: of {_WORKERS} workers there were {len(working)}",
        )
        self.looks += 1
        self.short += len(working) < _WORKERS
        self.recycled += len(working - self._known)
        self._known |= working
        return len(workers) == _WORKERS

    def _seen(self) -> list[Worker]:
        """Return the workers, as the register has them at one moment.

        Who is lost is asked after the register was read: one may have ended since, with a
        successor that was not in it yet. So all are lost already when it is read.
        """
        lost, known = {0}, set[int]()
        while not lost <= known:
            known |= lost
            workers = self._store.workers()
            lost = {each.id for each in workers if each.state == "lost"}
        return workers

    def _rest(self) -> bool:
        """Note what all take, unless one comes or goes."""
        supervisor, forkserver = self._child.pid, forkserver_of(self._child.pid)
        processes, workers = children(supervisor), workers_of(supervisor)
        if forkserver is None or len(workers) != _WORKERS or len(processes) != _WORKERS + _OTHERS:
            return False
        rest = {
            "descriptors": len(os.listdir(f"/proc/{supervisor}/fd")),
            "supervisor": resident(supervisor) / _MIB,
            "forkserver": resident(forkserver) / _MIB,
            "workers": sum(map(resident, workers)) / _MIB,
        }
        if children(supervisor) != processes:
            return False
        self._rests.append(rest)
        return True

    def _is_settled(self) -> bool:
        """Look once more; True when that is no more descriptors than at first."""
        if not self._rest():
            return False
        first, last = self._first_and_last("descriptors")
        return last <= first + _MORE_DESCRIPTORS

    def _first_and_last(self, what: str) -> tuple[float, float]:
        """Return the least of the first third of the looks, and of the last."""
        third = len(self._rests) // 3
        values = [rest[what] for rest in self._rests]
        return min(values[:third]), min(values[-third:])

    def _judge_growth(self) -> None:
        for what, more in {"descriptors": _MORE_DESCRIPTORS, **_MORE_MIB}.items():
            first, last = self._first_and_last(what)
            self._run.figure(f"{self._by}_{what}_first_to_last", [round(first, 1), round(last, 1)])
            self._run.check(
                "stays-flat",
                last <= first + more,
                f"by {self._by}: {what} went from {first:.1f} to {last:.1f}",
            )


SCENARIO = Scenario(
    "recycle",
    "pools replace workers whose handlers leak memory",
    run,
    sizes={
        "canary": {"recycles": 24},
        "ci": {"recycles": 24},
        "nightly": {"recycles": 1_002},
    },
    canaries={
        "descriptor-each": "stays-flat",
        "leaves-first": "never-short",
    },
    invariants={
        "never-short": "a worker that is replaced keeps working until its successor does",
        "stays-flat": "replaced processes leave no memory and no descriptor behind",
    },
    grows=("recycles",),
)
