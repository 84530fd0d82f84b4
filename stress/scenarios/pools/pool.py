"""Pools of `fencepost work` whose processes are killed at random, and those of its producers.

At first, with nobody killed, pools are told to stop in the midst of long handlers while
their successors stand by, as in a deployment. Then producers enqueue all the while, also
what others have enqueued before them, and a pool that is gone is started again by the same
command. At last only children of the supervisors are killed, for some time: workers, the
processes with the app that they are forked from, and the forkservers of these.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable

from ....store import connect
from ...checker import check
from ...harness.child_processes import Child
from ...harness.run import Run
from ...harness.scenario import Scenario, sizes
from ...harness.waiting import PATIENCE_SECONDS, until
from ...machine.processes import zombies
from ...pools.apps.app import EFFECTS, EFFECTS_COUNTER, QUEUE, order
from ...pools.command import LEASE_SECONDS, complaints
from ...pools.pool import Pool
from ...pools.producer import produce
from ...pools.strikes import CHILDREN, Strikes, plan
from ...pools.tries import Repeat, repeats, tries
from ...records.census import census, note_end
from ...records.history import Recorder, now_ns, read
from ...records.percentiles import quantiles
from ...workloads.noted import enqueue

_MOST_WAITING = 200
_KILL_PAUSE_SECONDS = 0.12
# Rare enough for most workers to live for some seconds: a pool waits before it starts more
# of those that die young.
_CHILD_PAUSE_SECONDS = 0.6
_SHORT_LEASE_SECONDS = 2.0
# Longer than that, and than idle workers wait before they look for what has expired.
_LONG_HANDLER_SECONDS = 4.5
# Before a supervisor looks it may wait for the store, for 5 s.
_MOST_ZOMBIE_SECONDS = 10.0


def run(run: Run) -> None:
    """Run the rounds, each with a store of its own."""
    rounds = int(run.size["rounds"])
    faults, tried = 0, 0
    waits: list[float] = []
    lone: list[float] = []
    for number in range(rounds):
        site = _Site(run, number)
        for _ in range(int(run.size["deployments"])):
            run.progress(number / rounds, "deployment")
            site.deploy()
        found, gaps = site.judge() if run.canary else (0, [])
        if not (run.canary and run.has_findings):
            site.begin()
            for kind in plan(site.chance, int(run.size["kills"])):
                site.strike(kind)
                faults += 1
                run.progress((number + 0.5) / rounds, f"{faults} killed or stopped")
            until = time.monotonic() + run.size["seconds"] / rounds
            while time.monotonic() < until:
                site.strike(site.chance.choice(CHILDREN), _CHILD_PAUSE_SECONDS)
                faults += 1
                run.progress((number + 0.7) / rounds, f"{faults} killed or stopped")
            site.drain()
            found, gaps = site.judge()
        site.end()
        tried += found
        waits += gaps
        lone += site.lone
        if run.has_findings:
            break
        shutil.rmtree(site.folder)
    figures = quantiles(waits)
    run.figure("tries", tried)
    for name, seconds in figures.items():
        run.figure(f"kill_to_next_try_{name}_s", round(seconds, 3))
    for name, seconds in quantiles(lone).items():
        run.figure(f"worker_kill_to_next_try_{name}_s", round(seconds, 3))
    run.says(f"{faults} faults, {tried} tries; kill to next try p99 {figures['p99']:.2f} s")


class _Site:
    """A round's store, with the pools and the producers that work on it.

    Attributes:
        chance: Decides what is done and when. To whom is decided by another: that is drawn
            until there is one, so how often is a matter of time.
        lone: Seconds until what a worker held was tried again that was killed alone.
    """

    def __init__(self, run: Run, number: int) -> None:
        self.folder = run.folder / str(number)
        self.folder.mkdir(mode=0o700)
        self._store = connect(self.folder / "store.db")
        self._queue = self._store.queue(QUEUE, max_rows=_MOST_WAITING)
        with self._store.transaction() as tx:
            tx.execute(EFFECTS)
        self._run = run
        self.chance = random.Random(f"{run.seed}/pool/{number}")
        self._name = f"{number}"
        self._history = Recorder(self.folder / "history", "scenario")
        self._pools: list[Pool] = []
        self._producers: list[Child] = []
        self._strikes = Strikes(run.random, self._history)
        self._zombies: dict[str, float] = {}
        self.lone: list[float] = []

    def begin(self) -> None:
        """Start the pools and the producers that are to be killed."""
        self.end()
        self._pools = self._start(LEASE_SECONDS)
        self._producers = [
            self._run.start(f"producer-{self._name}-{slot}", produce, self.folder, slot)
            for slot in range(int(self._run.size["producers"]))
        ]

    def strike(self, kind: str, pause: float = _KILL_PAUSE_SECONDS) -> None:
        """Kill or stop one of a kind after a while, and start again what is gone."""
        time.sleep(self.chance.uniform(0, pause))
        self._until(
            lambda: self._strikes.strike(kind, self._pools, self._producers),
            f"there is one for: {kind}",
        )
        self._run.fault(kind)
        self._look_for_zombies()

    def drain(self) -> None:
        """Let nobody enqueue any more, and wait until all is done."""
        for producer in self._producers:
            producer.enough()
        for producer in self._producers:
            producer.join()
        self._producers = []
        began = changed = time.monotonic()
        left = self._left()
        while left and time.monotonic() - changed < PATIENCE_SECONDS:
            waited = time.monotonic() - began
            if self._run.canary and waited > self._run.size["again"] and not self._left("ready"):
                break  # what is left is held by nobody who lives
            self._restart()
            time.sleep(0.02)
            before, left = left, self._left()
            if left != before:
                changed = time.monotonic()
        self._run.check("never-stuck", not left, f"{left} messages are not at their end")
        while self._look_for_zombies():
            time.sleep(0.02)

    def deploy(self) -> None:
        """Stop pools whose workers are all in long handlers, and start others beside them."""
        self.end()
        old = self._pools = self._start(_SHORT_LEASE_SECONDS)
        self._until(lambda: all(pool.is_up() for pool in old), "the pools are up")
        workers = int(self._run.size["workers"]) * len(old)
        gate = f"go-{self._name}"
        for number in range(3 * workers):
            key = f"{self._name}-{number}"
            body = order(key, gate=gate if number < workers else None)
            enqueue(self._history, self._queue, key, body)
        self._until(lambda: self._queue.stats().leased == workers, "all workers are busy")
        new = self._pools = self._start(_SHORT_LEASE_SECONDS)
        self._until(lambda: all(pool.is_up() for pool in new), "their successors are up")
        for pool in old:
            pool.stop()
        self._run.fault("pool stopped in a handler", len(old))
        time.sleep(_LONG_HANDLER_SECONDS)
        (self.folder / gate).touch()
        self._until(lambda: all(pool.has_ended() for pool in old), "the pools have stopped")
        self.drain()

    def end(self) -> None:
        """Stop all pools, also those that have only just been started again."""
        pools, self._pools = self._pools, []
        for pool in pools:
            if not pool.is_ending:
                self._until(pool.is_up, "the pool is up")
                pool.stop()
        self._until(lambda: all(pool.has_ended() for pool in pools), "the pools have stopped")

    def judge(self) -> tuple[int, list[float]]:
        """Check all that was noted; return how many tries there were, and after how many
        seconds each message was tried again whose worker was killed."""
        with census(self.folder / "store.db") as seen:
            note_end(self._history, seen)
        calls = read(self.folder / "history")
        self._run.add(*check(calls))
        self._judge_counter()
        for line in complaints(self.folder):
            self._run.broken("typed-errors", f"a pool said: {line}")
        waits = []
        for repeat in repeats(calls):
            waits += self._judge(repeat)
        tried = tries(calls)
        self._run.checked("not-handled-twice", len({each.key for each in tried}))
        return len(tried), waits

    def _judge_counter(self) -> None:
        ((effects,),) = self._store.read("select count(*) from effects")
        counted = self._store.counters().get(EFFECTS_COUNTER, 0)
        self._run.check("counted-once", counted == effects, f"{counted} counted of {effects}")

    def _judge(self, repeat: Repeat) -> list[float]:
        first, killed_at, again_at = repeat
        if killed_at is None:
            self._run.broken(
                "not-handled-twice",
                f"{first.key} was tried again, though {first.process} was not killed at it",
            )
            return []
        seconds = ((now_ns() if again_at is None else again_at) - killed_at) / 1e9
        self._run.check(
            "handled-again-in-time",
            seconds <= self._run.size["again"],
            f"{first.key} was not tried again for {seconds:.1f} s after {first.process} was killed",
        )
        if first.process not in self._strikes.with_pool:
            self.lone.append(seconds)
        return [seconds]

    def _look_for_zombies(self) -> bool:
        """Hold it against a supervisor when a child has ended and is not waited for soon.

        Returns True while there are such that may still be.
        """
        now = time.monotonic()
        found = {name for pool in self._pools for name in zombies(pool.pid)}
        self._zombies = {name: self._zombies.get(name, now) for name in found}
        self._run.checked("reaped")
        old = {name for name, since in self._zombies.items() if now - since > _MOST_ZOMBIE_SECONDS}
        for name in old:
            self._run.broken("reaped", f"{name} was not waited for in {_MOST_ZOMBIE_SECONDS:g} s")
        return bool(found - old)

    def _start(self, lease: float) -> list[Pool]:
        slots = range(int(self._run.size["pools"]))
        self._name += "'"
        return [Pool(self._run, f"pool-{self._name}-{n}", self.folder, lease) for n in slots]

    def _restart(self) -> None:
        for pool in self._pools:
            if pool.has_ended():
                pool.start()

    def _until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is true, and start again what is gone meanwhile."""
        until(true, what, meanwhile=self._restart)
        self._restart()

    def _left(self, *states: str) -> int:
        stats = self._queue.stats()
        return sum(getattr(stats, state) for state in states or ("ready", "scheduled", "leased"))


SCENARIO = Scenario(
    "pool",
    "processes of pools are killed at random while producers enqueue",
    run,
    sizes=sizes(
        "rounds kills pools workers producers deployments seconds again",
        canary=(1, 25, 2, 1, 1, 1, 0, 4),
        ci=(1, 100, 2, 2, 3, 1, 0, 20),
        nightly=(4, 250, 2, 4, 8, 3, 600, 20),
    ),
    canaries={
        "effect-before-ack": "effects-once",
        "nothing-given-back": "handled-again-in-time",
        "forkserver-unreaped": "reaped",
        "leaky-count": "counted-once",
    },
    invariants={
        "reaped": "no process that has ended stays a zombie",
        "counted-once": "a counter has what handlers that were done have counted, and no more",
    },
    grows=("rounds", "seconds"),
)
