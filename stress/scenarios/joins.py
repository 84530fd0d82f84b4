"""Messages that are handed over together, while workers are killed and calls fail.

Messages of many keys come in commits of one and of many, for handlers with windows, `debounce`,
`latest_only`, `max_leased` and transactions, for coroutines and tasks. Calls fail as a whole, and
of some messages. Workers are killed at random and at both ends of a call, or stopped until
another has their messages. In the end nothing is killed, and the windows are measured.
"""

from __future__ import annotations

import time

from ...store import connect
from .. import joins
from ..durable.notes import Notes
from ..durable.pools import Pools
from ..harness.run import Run
from ..harness.scenario import Scenario, sizes
from ..joins import plan
from ..joins.call import EFFECTS
from ..joins.judge import judge
from ..joins.load import Load
from ..joins.quiet import watch
from ..pools.command import complaints

_APP = f"{joins.__name__}.app"
# No other fault is noticed by a pool that is stopped, which takes a second one.
_NEEDS_STOPS = "unfenced-group"
_PAUSE_SECONDS = 0.01
_MOST_AT_ONCE = 40


def run(run: Run) -> None:
    """Have all handled, and judge it."""
    with connect(run.folder / "store.db") as store:
        with store.transaction() as tx:
            tx.execute(EFFECTS)
        stops = int(run.size["stops"]) if run.canary in (None, _NEEDS_STOPS) else 0
        load, pools = Load(store), Pools(run, Notes(run.folder), _APP, 2 if stops else 1)
        left = _work(run, load, pools, stops)
        if not left:
            watch(run, store, load)
            left = len(load.plans) - load.done()
        run.check("never-stuck", left == 0, f"{left} messages did not come to their end")
        pools.end()
        judge(run, load.plans, store)
    for line in complaints(run.folder):
        run.broken("typed-errors", f"a pool said: {line}")


def _work(run: Run, load: Load, pools: Pools, stops: int) -> int:
    """Enqueue messages and let things go wrong; return how many have not ended."""
    size, chance = {name: int(value) for name, value in run.size.items()}, run.random
    count = size["messages"]
    planned = plan.plans(chance, count, size["keys"], kills=size["deaths"], stops=stops)
    kills = sorted(chance.randrange(count) for _ in range(size["kills"]))
    reloads = [count * (each + 1) // (size["reloads"] + 1) for each in range(size["reloads"])]
    fed, last, at = 0, -1, time.monotonic()
    while (done := load.done()) < count:
        if done != last:
            run.progress(done / count, f"{done} messages")
            last, at = done, time.monotonic()
        if time.monotonic() - at > run.size["patience"]:
            break
        while fed < count and fed - done < size["waiting"]:
            more = chance.choice((1, 1, 2, chance.randint(1, _MOST_AT_ONCE)))
            load.enqueue(planned[fed : fed + more])
            fed += more
        pools.look()
        while kills and kills[0] <= done:
            kills.pop(0)
            pools.strike()
        while reloads and reloads[0] <= done:
            reloads.pop(0)
            pools.reload()
        time.sleep(_PAUSE_SECONDS)
    return count - done


SCENARIO = Scenario(
    "joins",
    "calls of many messages each fail, and their workers are killed and stopped",
    run,
    sizes=sizes(
        "messages keys waiting kills deaths stops reloads workers lease patience windows apart",
        canary=(280, 14, 160, 1, 2, 1, 0, 2, 2, 6, 6, 60),
        ci=(2500, 28, 500, 6, 12, 1, 1, 2, 2, 300, 20, 60),
        nightly=(100_000, 100, 2000, 150, 200, 10, 10, 2, 2, 900, 200, 60),
    ),
    canaries={
        _NEEDS_STOPS: "stale-refused",  # the longest
        "greedy-group": "joined-once",
        "forgiven-failure": "joined-once",
        "newest-first": "joined-in-order",
        "beyond-most": "joined-as-declared",
        "mixed-keys": "joined-as-declared",
        "hasty-window": "window-kept",
        "endless-window": "window-kept",
        "counted-halving": "own-failures-count",
        "oldest-handed-over": "newest-handled",
    },
    invariants={
        "joined-once": "a message is ended by the last call that had it, and as that call says",
        "joined-in-order": "a call has the oldest messages of its key, but for those that failed alone",
        "joined-as-declared": "a call has one key and `most` messages at most; a key has one call at a time",
        "window-kept": "a call begins when its window is over or full, and soon if nothing is killed",
        "own-failures-count": "an attempt that counts is one of a message that failed by itself",
        "newest-handled": "with latest_only the newest of a call is handed over, and ends the others",
    },
    grows=("messages", "kills", "deaths", "stops", "reloads"),
)
