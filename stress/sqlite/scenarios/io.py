"""Every operation of the disk fails once, and for ever; and the process is killed at each.

What fails raises an error with a name, and then the state is the one that the error says. The
same step taken again gets the answer that it would have had. A commit that failed and was
found to be there after all is one as well, and so is one whose power was lost next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ..disk.disk import disk
from ..script.faulted import Work

_JOBS_A_REPORT = 50


def run(run: Run) -> None:
    """Share the operations out among processes, and add up what they found."""
    count = int(run.size["processes"])
    children = [run.start(f"{n}", _fail, n, count, run.seed, dict(run.size)) for n in range(count)]
    met: Counter[str] = Counter()
    at_work = list(children)
    while at_work:
        for child in list(at_work):
            facts = child.heard(300)
            met.update(facts["met"])
            run.add(facts["checked"], [])
            for invariant, what in facts["found"]:
                run.broken(invariant, what)
            if facts["done"] == 1:
                at_work.remove(child)
        run.progress(facts["done"], f"{met.total():,} faults")
    for kind, times in sorted(met.items()):
        run.fault(kind, times)
    run.figure("faults", met.total())
    run.says(f"{met.total():,} faults, {met['SIGKILL']:,} of them a SIGKILL")


def _fail(me: Me, first: int, count: int, seed: int, size: dict[str, float]) -> None:
    workloads = int(max(size["workloads"], size["kills"]))
    folder = me.folder / me.name
    folder.mkdir(mode=0o700)
    for number in range(workloads):
        with disk() as here:
            # All processes have the same script, and of its operations a share each.
            work = Work(here, folder / "store.db", f"{seed}/{number}", int(size["steps"]))
            jobs: list[Callable[[], None]] = []
            if number < size["workloads"]:
                points = work.points()[first :: count * int(size["every"])]
                jobs += [partial(work.fail, point) for point in points]
                for nth in range(1 + first, work.done["sync"] + 1, count):
                    jobs.append(partial(work.come_back, nth))
                    if (nth - 1 - first) % int(size["every"]) == 0:
                        jobs.append(partial(work.lose_power, nth, me.random))
            if number < size["kills"]:
                nths = range(1 + first, work.done.total() + 1, count * int(size["every"]))
                jobs += [partial(work.kill, nth) for nth in nths]
            for index, job in enumerate(jobs):
                job()
                if index % _JOBS_A_REPORT == 0:
                    me.ready(done=(number + index / len(jobs)) / workloads, **work.report())
            here.replace({})  # the next one begins on an empty disk
        me.ready(done=(number + 1) / workloads, **work.report())


SCENARIO = Scenario(
    "io",
    "each disk operation fails once, and the process is killed at each",
    run,
    sizes={
        "canary": {"processes": 1, "workloads": 1, "steps": 11, "every": 9, "kills": 0},
        "ci": {"processes": 2, "workloads": 1, "steps": 8, "every": 1, "kills": 1},
        "nightly": {"processes": 2, "workloads": 5, "steps": 40, "every": 1, "kills": 10},
    },
    canaries={
        "commit-plain": "nothing-unexpected",
        "commit-ignored": "nothing-lost",
        "repeat-refused": "same-answer",
        "untyped": "typed-errors",
        "uncounted": "integrity",
    },
    grows=("workloads", "kills"),
)
