"""Memory that runs out in the midst of calls."""

from __future__ import annotations

from ....store import connect
from ....store.errors import StoreBusy
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ..faulted_calls import Worker, trial
from ..scarce_memory import scarce

_MOST_BYTES = 30_000


def run(run: Run) -> None:
    """Starve calls, then see what is there."""
    told, calls = trial(run, _work, run.size["starved"])
    starved = sum(each["starved"] for each in told)
    run.fault("memory ran out", starved)
    run.says(f"{starved} calls that ran out of memory, {len(calls)} in all")


def _work(me: Me, path: str, times: float) -> None:
    starved = 0
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        worker = Worker(me, store)
        while starved < times:
            try:
                worker.step(lambda: scarce(me.random.randrange(_MOST_BYTES)))
            except StoreBusy:
                break  # the history has it; whoever comes next would wait as long
            except Exception:  # noqa: BLE001 - the history has it, and what it was
                starved += 1
    me.ready(starved=starved)


SCENARIO = Scenario(
    "memory",
    "memory runs out in the middle of calls",
    run,
    sizes={
        "canary": {"processes": 1, "starved": 20},
        "ci": {"processes": 2, "starved": 100},
        "nightly": {"processes": 2, "starved": 5_000},
    },
    canaries={
        "untyped": "typed-errors",
    },
    grows=("starved",),
)
