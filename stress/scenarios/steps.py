"""Handlers of many steps, whose workers die at every point of them; others answer them meanwhile.

Each effect is noted outside the store, by delivery, step and fence. Workers kill themselves at
every point of a step, a sleep and a wait; others are killed at random, or stopped until another
worker has their delivery, and the code changes under what is in progress.
"""

from __future__ import annotations

import time

from ...store import Store, connect
from .. import durable
from ..durable import answerer, plan
from ..durable.attempt import EFFECTS
from ..durable.judge import judge
from ..durable.notes import Notes
from ..durable.pools import Pools
from ..harness.child_processes import Child
from ..harness.run import Run
from ..harness.scenario import Scenario, sizes
from ..pools.command import complaints
from ..records.census import census

_APP = f"{durable.__name__}.app"  # it is imported where a version of the code is
_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 0.01
_ANSWERERS = 2
_ANSWERER_STRUCK = 0.2


def run(run: Run) -> None:
    """Have all handled, and judge it."""
    with connect(run.folder / "store.db") as store:
        with store.transaction() as tx:
            tx.execute(EFFECTS)
        site = _Site(run, store)
        site.work()
        judge(run, site.plans, store)
    for line in complaints(run.folder):
        run.broken("typed-errors", f"a pool said: {line}")


class _Site:
    """The store, its pools, and who answers.

    Attributes:
        plans: By key, of what has been enqueued.
    """

    def __init__(self, run: Run, store: Store) -> None:
        self._run = run
        self._queues = {name: store.queue(name) for name in plan.QUEUES}
        handlers, stops = int(run.size["handlers"]), int(run.size["stops"])
        self._planned = plan.plans(run.random, handlers, stops)
        self.plans: dict[str, plan.Plan] = {}
        # How many handlers have ended when something happens.
        spread = run.random.randrange
        self._kills = sorted(spread(handlers) for _ in range(int(run.size["kills"])))
        reloads = int(run.size["reloads"])
        self._reloads = [handlers * (each + 1) // (reloads + 1) for each in range(reloads)]
        self._looked = 0.0
        self._pools = Pools(run, Notes(run.folder), _APP)
        self._answerers: list[Child] = []
        for _ in range(_ANSWERERS):
            self._begin_to_answer()

    def work(self) -> None:
        """Enqueue all, a few at a time, and let things go wrong until all have ended."""
        left = self._until_ended()
        self._run.check("never-stuck", left == 0, f"{left} handlers did not come to their end")
        for each in self._answerers:
            if each.alive:
                each.enough()
                each.join()
        self._pools.end()

    def _until_ended(self) -> int:
        """Return how many have not: it is waited for as long as some do."""
        handlers, last, at = int(self._run.size["handlers"]), -1, time.monotonic()
        while (done := self._done()) < handlers:
            if done != last:
                self._run.progress(done / handlers, f"{done} handlers")
                last, at = done, time.monotonic()
            if time.monotonic() - at > self._run.size["patience"]:
                break
            self._feed(done)
            self._pools.look()
            while self._kills and self._kills[0] <= done:
                self._kills.pop(0)
                self._strike()
            while self._reloads and self._reloads[0] <= done:
                self._reloads.pop(0)
                self._pools.reload()
            self._recount()
            time.sleep(_PAUSE_SECONDS)
        return handlers - done

    def _strike(self) -> None:
        """Kill a worker, now and then one who answers."""
        if self._run.random.random() > _ANSWERER_STRUCK:
            self._pools.strike()
            return
        self._answerers[-_ANSWERERS].kill()
        self._run.fault("answerer killed")
        self._begin_to_answer()

    def _begin_to_answer(self) -> None:
        name = f"answerer-{len(self._answerers)}"
        self._answerers.append(self._run.start(name, answerer.serve, self._run.folder))

    def _done(self) -> int:
        stats = [queue.stats() for queue in self._queues.values()]
        return sum(each.done + each.dead for each in stats)

    def _feed(self, done: int) -> None:
        room = int(self._run.size["window"]) - len(self.plans) + done
        for queue, each in self._planned[: max(0, room)]:
            key = f"{len(self.plans)}"
            self._queues[queue].enqueue(each.body, key=key)
            self.plans[key] = each
        del self._planned[: max(0, room)]

    def _recount(self) -> None:
        """Count rows now and then, as of one moment, and hold the counters against them."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        with census(self._run.folder / "store.db") as seen:
            wrong = seen.miscounted()
        self._run.check("integrity", not wrong, "; ".join(wrong))


SCENARIO = Scenario(
    "steps",
    "workers die at every point of durable handlers, which others answer meanwhile",
    run,
    sizes=sizes(
        "handlers window kills stops reloads workers lease patience",
        canary=(48, 48, 2, 1, 1, 2, 2, 6),
        ci=(120, 60, 8, 2, 3, 2, 2, 300),
        nightly=(1000, 60, 100, 10, 20, 2, 3, 900),
    ),
    canaries={
        "unfenced-record": "stale-refused",
        "live-outcome": "same-outcome",
        "late-occurrence": "same-outcome",
        "late-record": "steps-run-once",
        "split-transaction": "effects-once",
        "swallowed-sleep": "no-step-skipped",
        "counted-sleep": "only-changed-dies",
        "lost-wake": "never-stuck",
        "late-answer": "answers-agree",
        "records-left": "no-record-left",
    },
    invariants={
        "steps-run-once": "a recorded step does not run again; another does only if its worker was hit",
        "same-outcome": "a step has the same outcome in every attempt",
        "no-step-skipped": "a handler that is done has taken each of its steps",
        "only-changed-dies": "a sleep is no attempt: only what code was changed for is a dead letter",
        "answers-agree": "who answers is told what the handler sees, and what the deadline says",
        "no-record-left": "no step and no wait is kept of a delivery that cannot run again",
    },
    grows=("handlers", "kills", "stops", "reloads"),
)
