"""Pools of `fencepost work` that are told to stop in the midst of work.

SIGTERM comes to one pool after the other at random, also while it starts, and all have
the same queues to work off. Some have work that does not end by itself, so that they have
to cancel it. At last a pool is told to stop whose handlers go on for several leases, while
its successor stands by to take whatever is no longer held.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

from ....store import connect
from ...harness.child_processes import Child
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS, until
from ...machine.processes import living_in, name_of
from ...machine.slowness import slowness
from ...pools.apps import paced
from ...pools.command import LEASE_SECONDS, is_up, work
from ...pools.judge import judge
from ...pools.load import produce
from ...records.census import census
from ...records.history import Recorder
from ...records.percentiles import quantiles
from ...workloads.noted import enqueue

_QUEUES = (paced.SYNC, paced.ASYNC)
_HANDLER_SECONDS = (0.0, 0.3)
_WAITING_A_WORKER = 20
_BEFORE_SECONDS = 0.7
_START_SECONDS = 1.5
# One in so many has to cancel what it has in work, one in so many is not up yet.
_CUT, _EARLY = 4, 6
_CUT_GRACE_SECONDS = 1.0
# What is cancelled may take two seconds longer, and busy cores make it more.
_CANCEL_SECONDS = 7.0
_LONG_GRACE_SECONDS = 60.0
_MOST_SLOW = 3.0


def run(run: Run) -> None:
    """Stop pools under load, then one in long handlers; then judge all that was handled."""
    pools = _Pools(run)
    try:
        pools.stop_many()
        if not run.has_findings:
            pools.stop_long()
    finally:
        pools.close()
    tried = judge(run, run.folder, cut=pools.cut)
    took = quantiles(pools.took)
    run.figure("tries", tried)
    for name, seconds in took.items():
        run.figure(f"end_{name}_s", round(seconds, 3))
    run.says(f"{len(pools.took)} shutdowns, {tried} tries; end p99 {took['p99']:.2f} s")


class _Pools:
    """One store, and the pools that work on it one after the other.

    Attributes:
        cut: Those that had to cancel what they had in work.
        took: The seconds from SIGTERM to the end, of the others.
    """

    def __init__(self, run: Run) -> None:
        self.cut: set[str] = set()
        self.took: list[float] = []
        self._run = run
        self._store = connect(run.folder / "store.db")
        self._history = Recorder(run.folder / "history", "scenario")
        self._pools = 0
        with self._store.transaction() as tx:
            tx.execute(paced.EFFECTS)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def stop_many(self) -> None:
        """Stop one after the other while a producer keeps the queues full; then work all off."""
        run = self._run
        shutdowns = int(run.size["shutdowns"])
        waiting = _WAITING_A_WORKER * int(run.size["workers"])
        options = (run.folder, _QUEUES, _HANDLER_SECONDS, waiting)
        producer = run.start("producer", produce, *options)
        for number in range(shutdowns):
            run.progress(number / shutdowns, f"{number} stopped")
            if number % _CUT == 1:
                self._cut_one(f"go-{number}")
            else:
                self._stop_one(is_early=number % _EARLY == 3)
            if run.has_findings:
                break
        if run.canary and run.has_findings:
            return
        producer.enough()
        producer.join()
        pool = self._start(LEASE_SECONDS, run.size["grace"])
        self._until(lambda: not self._left(), "all is handled")
        self._stop(pool, run.size["grace"])

    def stop_long(self) -> None:
        """Stop one whose handlers go on for long, with another standing by."""
        run = self._run
        # Where others keep the cores busy renewals come late, and that is not what is judged.
        lease = run.size["lease"] * min(_MOST_SLOW, max(slowness() for _ in range(5)))
        seconds = max(run.size["long_seconds"], 3 * lease)
        old = self._start(lease, seconds + _LONG_GRACE_SECONDS)
        self._until(lambda: self._is_up(old), "the pool is up")
        workers = int(run.size["workers"])
        # A worker in a plain handler begins no coroutine, and one in coroutines a plain handler.
        for name, count in ((paced.ASYNC, 2 * workers), (paced.SYNC, workers)):
            for number in range(count):
                body = paced.order(0, gate="go-long")
                enqueue(self._history, self._store.queue(name), f"long-{name}-{number}", body)
            self._until(partial(self._is_all_leased, name, count), "all workers are busy")
        new = self._start(lease, run.size["grace"])
        self._until(lambda: self._is_up(new), "its successor is up")
        os.kill(old.pid, signal.SIGTERM)
        run.fault("pool stopped in long handlers")
        end_at = time.monotonic() + seconds
        while (left := end_at - time.monotonic()) > 0:
            run.progress(1 - left / seconds, f"handlers go on for {left:.0f} s")
            time.sleep(min(left, 0.5))
        (run.folder / "go-long").touch()
        self._until(lambda: not old.alive, "it has ended")
        run.check("ends-in-grace", old.exit_code == 0, f"it ended with {old.exit_code}")
        self._until(lambda: not self._left(), "all is handled")
        self._stop(new, run.size["grace"])

    def _stop_one(self, *, is_early: bool) -> None:
        """Stop one whose handlers are all short."""
        pool = self._start(LEASE_SECONDS, self._run.size["grace"])
        if not is_early:
            self._until(lambda: self._is_up(pool), "the pool is up")
        time.sleep(self._run.random.uniform(0, _START_SECONDS if is_early else _BEFORE_SECONDS))
        self._stop(pool, self._run.size["grace"])

    def _cut_one(self, gate: str) -> None:
        """Stop one that has to cancel work that would not end."""
        pool = self._start(LEASE_SECONDS, _CUT_GRACE_SECONDS)
        self.cut.add(name_of(pool.pid))
        for name in _QUEUES:
            body = paced.order(0, gate=gate)
            enqueue(self._history, self._store.queue(name), f"{gate}-{name}", body, priority=1)
        self._until(lambda: self._is_up(pool), "the pool is up")
        time.sleep(self._run.random.uniform(0, _BEFORE_SECONDS))
        self._stop(pool, _CUT_GRACE_SECONDS + _CANCEL_SECONDS, is_cut=True)
        (self._run.folder / gate).touch()

    def _start(self, lease: float, grace: float) -> Child:
        self._pools += 1
        run = self._run
        options = (
            paced.__name__,
            int(run.size["workers"]),
            lease,
            run.canary,
            "--grace",
            str(grace),
        )
        return run.start(f"pool-{self._pools}", work, run.folder, *options)

    def _stop(self, pool: Child, bound: float, *, is_cut: bool = False) -> None:
        """Tell a pool to stop, and see what is left when it has ended."""
        was_up = self._is_up(pool)
        began = time.monotonic()
        os.kill(pool.pid, signal.SIGTERM)
        self._run.fault("pool stopped" if was_up else "pool stopped at its start")
        self._until(lambda: not pool.alive, "it has ended")
        seconds = time.monotonic() - began
        if not is_cut:
            self.took.append(seconds)
        for says in self._says_at_end(pool, was_up, seconds - bound):
            self._run.broken("ends-in-grace", f"{pool.name} {says}")
        self._run.checked("ends-in-grace")

    def _says_at_end(self, pool: Child, was_up: bool, too_long: float) -> list[str]:
        with census(self._run.folder / "store.db") as seen:
            leased = len(seen.deliveries("leased"))
        # Before it listens to signals, it ends by them.
        ends = (0,) if was_up else (0, -signal.SIGTERM)
        found = {
            f"took {too_long:.1f} s too long to end": too_long > 0,
            f"ended with {pool.exit_code}": pool.exit_code not in ends,
            f"left {leased} claims": leased > 0,
            "left processes": bool(living_in(self._run.folder)),
            "left itself in the register": was_up and bool(self._store.pools()),
            "left workers in the register": was_up and bool(self._store.workers()),
        }
        return [says for says, is_so in found.items() if is_so]

    def _is_up(self, pool: Child) -> bool:
        return is_up(self._run.folder, pool.name)

    def _is_all_leased(self, queue: str, count: int) -> bool:
        return self._store.queue(queue).stats().leased == count

    def _left(self, *states: str) -> int:
        stats = [self._store.queue(name).stats() for name in _QUEUES]
        return sum(
            getattr(each, state) for each in stats for state in states or ("ready", "leased")
        )

    def _until(self, true: Callable[[], bool], what: str) -> None:
        until(true, what, seconds=max(PATIENCE_SECONDS, self._run.size["grace"]))


SCENARIO = Scenario(
    "drain",
    "pools are stopped under load, and in handlers that last several leases",
    run,
    sizes={
        "canary": {"shutdowns": 1, "workers": 2, "grace": 3, "lease": 1, "long_seconds": 3},
        "ci": {"shutdowns": 6, "workers": 8, "grace": 20, "lease": 1, "long_seconds": 4},
        "nightly": {"shutdowns": 100, "workers": 8, "grace": 20, "lease": 5, "long_seconds": 120},
    },
    canaries={
        "silent-at-the-end": "not-handled-twice",
        "claims-on": "ends-in-grace",
        "killed-at-once": "not-handled-twice",
    },
    grows=("shutdowns",),
)
