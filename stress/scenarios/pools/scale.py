"""A pool of `fencepost work` that is told again and again, under load, how large it is to be.

It is told through the store, many and few in turn, and by signals. Between that a queue is
paused and resumed, and the limit of another is changed, and snapshots by a connection of
the harness's own say whether either is ever broken.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

from ....store import Store, connect
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import until
from ...machine.slowness import slowness
from ...pools.apps import paced
from ...pools.command import LEASE_SECONDS, is_up, work
from ...pools.judge import judge
from ...pools.load import produce
from ...records.census import Census, census
from ...records.percentiles import quantiles

_QUEUES = (paced.SYNC, paced.ASYNC, paced.LIMITED)
_HANDLER_SECONDS = (0.01, 0.15)
_WAITING = 60
# The goal is two seconds where nothing else runs; as often longer as computing takes longer.
_GOAL_SECONDS = 2.0
_TIMES = 2.0
_LOOK_SECONDS = 0.02
_STAGE_SECONDS = 0.5


def run(run: Run) -> None:
    """Scale up and down, with all else between; then judge all that was handled."""
    rounds = int(run.size["rounds"])
    path = run.folder / "store.db"
    with connect(path) as store, census(path) as seen:
        scaled = _Scaled(run, store, seen)
        for number in range(rounds):
            run.progress(number / rounds, f"scaled {2 * number} times")
            scaled.up()
            if run.canary and run.has_findings:
                break
            scaled.pause()
            scaled.limit()
            scaled.down()
            scaled.by_signals()
        else:
            scaled.end()
    tried = judge(run, run.folder)
    run.figure("tries", tried)
    run.figure("slowness_max", round(scaled.slowest, 1))
    run.figure("snapshots", scaled.snapshots)
    for way, took in scaled.took.items():
        for name, seconds in quantiles(took).items():
            run.figure(f"{way}_{name}_s", round(seconds, 3))
    slowest = {way: max(took, default=0.0) for way, took in scaled.took.items()}
    run.says(f"{tried} tries; up in {slowest['up']:.2f} s, down in {slowest['down']:.2f} s at most")


class _Scaled:
    """A pool under load.

    Attributes:
        took: Seconds until it had the size that it was told.
        slowest: The greatest slowness there was.
        snapshots: How often the leased deliveries were looked at.
    """

    def __init__(self, run: Run, store: Store, seen: Census) -> None:
        self.took: dict[str, list[float]] = {"up": [], "down": []}
        self.slowest = 1.0
        self.snapshots = 0
        self._run = run
        self._few, self._many = int(run.size["few"]), int(run.size["many"])
        self._store = store
        self._seen = seen
        with store.transaction() as tx:
            tx.execute(paced.EFFECTS)
        options = (paced.__name__, self._few, LEASE_SECONDS, run.canary)
        self._pool = run.start("pool", work, run.folder, *options)
        self._producer = run.start(
            "producer", produce, run.folder, _QUEUES, _HANDLER_SECONDS, _WAITING
        )
        self._limit = paced.MOST_LEASED
        self._until(lambda: is_up(run.folder, self._pool.name), "the pool is up")

    def up(self) -> None:
        """Have many workers, all of them at work."""
        claimed: set[int] = set()

        def is_large() -> bool:
            workers = self._store.workers()
            claimed.update(each.id for each in workers if each.delivery is not None)
            return len(workers) == self._many and all(each.id in claimed for each in workers)

        self._scale("up", self._many, is_large)
        self._look_for(_STAGE_SECONDS)

    def down(self) -> None:
        """Have few of them, at once."""
        self._scale("down", self._few, lambda: len(self._store.workers()) == self._few)

    def by_signals(self) -> None:
        """Have two more by TTIN and two fewer by TTOU, one after the other."""
        for change in (1, 1, -1, -1):
            size = self._size() + change
            number = signal.SIGTTIN if change > 0 else signal.SIGTTOU
            os.kill(self._pool.pid, number)
            self._until(partial(self._has, size), f"{size} workers after {number.name}")
            self._run.fault(number.name)

    def pause(self) -> None:
        """Pause a queue: what is leased then may go on, and nothing else begins."""
        queue = self._run.random.choice(_QUEUES)
        self._store.pause(queue)
        before = self._leased(queue)
        end_at = time.monotonic() + _STAGE_SECONDS
        while time.monotonic() < end_at:
            begun = self._leased(queue) - before
            self._run.check("caps-hold", not begun, f"{queue} is paused: claimed were {begun}")
            time.sleep(_LOOK_SECONDS)
        self._store.resume(queue)
        self._run.fault("paused")
        self._until(lambda: bool(self._leased(queue) - before), f"{queue} is claimed from again")

    def limit(self) -> None:
        """Change a limit: nothing is claimed beyond it, also while more is still leased."""
        limit = self._run.random.randint(1, paced.MOST_LEASED)
        self._store.limit(paced.LIMITED, limit)
        before = self._leased(paced.LIMITED)
        while len(now := self._leased(paced.LIMITED)) > limit:
            begun = now - before
            self._run.check("caps-hold", not begun, f"beyond {limit} were claimed {begun}")
            time.sleep(_LOOK_SECONDS)
        self._limit = limit
        self._run.fault("limit changed")
        self._look_for(_STAGE_SECONDS)

    def end(self) -> None:
        """Work all off and stop the pool."""
        self._producer.enough()
        self._producer.join()
        queues = [self._store.queue(name) for name in _QUEUES]
        self._until(
            lambda: not any(each.stats().ready + each.stats().leased for each in queues),
            "all is handled",
        )
        os.kill(self._pool.pid, signal.SIGTERM)
        self._until(lambda: not self._pool.alive, "it has ended")
        code = self._pool.exit_code
        self._run.check("ends-in-grace", code == 0, f"the pool ended with {code}")

    def _scale(self, way: str, size: int, done: Callable[[], bool]) -> None:
        """Tell all pools a size; measure how long that takes, and how slow all is meanwhile."""
        slow = [slowness()]
        began = time.monotonic()
        self._store.scale(size)
        while True:
            is_done, seconds = done(), time.monotonic() - began
            bound = _TIMES * _GOAL_SECONDS * sum(slow) / len(slow)
            if is_done or seconds > bound:
                break
            self._look()
            time.sleep(_LOOK_SECONDS)
            slow.append(slowness())
        self._run.fault(f"scaled {way}")
        self._run.check("scales-in-time", is_done, f"not {size} workers after {bound:.1f} s")
        self.took[way].append(seconds)
        self.slowest = max(self.slowest, sum(slow) / len(slow))

    def _look_for(self, seconds: float) -> None:
        end_at = time.monotonic() + seconds
        while time.monotonic() < end_at:
            self._look()
            time.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        """See that no more is leased of the limited queue than it may."""
        leased = len(self._leased(paced.LIMITED))
        says = f"{leased} were leased of a queue with a limit of {self._limit}"
        self._run.check("caps-hold", leased <= self._limit, says)

    def _leased(self, queue: str) -> set[int]:
        self.snapshots += 1
        return {each.id for each in self._seen.deliveries("leased") if each.queue == queue}

    def _size(self) -> int:
        (pool,) = self._store.pools()
        return pool.size

    def _has(self, size: int) -> bool:
        return self._size() == size == len(self._store.workers())

    def _until(self, true: Callable[[], bool], what: str) -> None:
        until(true, what, meanwhile=self._look, pause=_LOOK_SECONDS)


SCENARIO = Scenario(
    "scale",
    "a pool is scaled up and down under load; queues are paused and limited",
    run,
    sizes={
        "canary": {"rounds": 1, "few": 1, "many": 8},
        "ci": {"rounds": 2, "few": 2, "many": 16},
        "nightly": {"rounds": 50, "few": 2, "many": 16},
    },
    canaries={
        "never-follows": "scales-in-time",
        "killed-when-too-many": "not-handled-twice",
        "one-beyond": "caps-hold",
    },
    invariants={
        "scales-in-time": "a pool soon has as many workers as it was told to have",
    },
    grows=("rounds",),
    alone=True,
)
