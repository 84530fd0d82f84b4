"""Writers that are stopped where others wait for them: how long those wait, and what comes then.

In a transaction, in the gate, and first in its line. The first two keep all other writers
out: they are told so after the stated wait, and go on as soon as the stopped one is killed
or continued. Who is stopped first in the line is gone past.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import closing
from itertools import count

from ....store import Store, connect
from ....store.errors import StoreBusy
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...records.percentiles import quantiles
from .. import census

BUSY_SECONDS = 0.2
# How much later than the stated wait StoreBusy may come, on a machine that is busy itself.
LATE_SECONDS = 1.5
# How long a writer may wait when the one in its way is gone, and when it is first in the line.
NEXT_SECONDS = 1.5
LINE_SECONDS = 3.0

_PLACES = ("transaction", "gate", "line")
_KILLED_EACH = 4
_LONG_SECONDS = 5.0
_IN_LINE_SECONDS = 0.05


def run(run: Run) -> None:
    """Stop a writer again and again, and measure how long the others wait."""
    times = int(run.size["writers"])
    path = str(run.folder / "writers.db")
    with connect(path) as store, store.transaction() as tx:
        tx.execute("create table writes (who text)")
    waits: dict[str, list[float]] = {"told_busy": [], "next": [], "past_the_line": []}
    kept = 0
    child = run.start("writer-0", _stand, path, 0)
    child.heard()
    with (
        closing(connect(path, busy_timeout=BUSY_SECONDS)) as hasty,
        closing(connect(path, busy_timeout=_LONG_SECONDS)) as patient,
    ):
        for turn in range(times):
            run.progress(turn / times, f"stopped writer {turn + 1} of {times}")
            place = _PLACES[turn % len(_PLACES)]
            if place == "line":
                _stop_in_line(child, patient)
                waits["past_the_line"].append(_waited(run, patient, LINE_SECONDS, place))
            else:
                child.go()
                child.heard()
                child.stop()
                waits["told_busy"].append(_told_busy(run, hasty, place))
            run.fault(f"SIGSTOP in the {place}")
            killed = turn % _KILLED_EACH == _KILLED_EACH - 1
            if killed:
                child.kill()
                run.fault("kill -9")
            else:
                child.cont()
                child.go()
            waits["next"].append(_waited(run, patient, NEXT_SECONDS, f"{place}, now gone"))
            if killed:
                child = run.start(f"writer-{turn + 1}", _stand, path, turn + 1)
            child.heard()
            if not killed:
                kept += place != "gate"
    child.kill()
    ((rows,),) = census.ask(path, "select count(*) from writes where who <> 'next'")
    run.check("nothing-lost", rows >= kept, f"{rows} rows of {kept} committed after a stop")
    run.check("nothing-unexpected", rows <= kept, f"{rows} rows, {kept} of which were committed")
    for name, seconds in waits.items():
        run.figure(f"{name}_max_ms", round(1000 * max(seconds, default=0.0), 1))
    after = quantiles(1000 * seconds for seconds in waits["next"])
    run.says(f"{times} writers stopped, the next one in after {after['p50']:.1f} ms (p50)")


def _stop_in_line(child: Child, patient: Store) -> None:
    with patient.transaction():
        child.go()
        child.heard()
        time.sleep(_IN_LINE_SECONDS)
        child.stop()
    time.sleep(_IN_LINE_SECONDS)  # so that this one has to get in line as well


def _told_busy(run: Run, hasty: Store, place: str) -> float:
    began = time.monotonic()
    hasty.stats()
    read = time.monotonic() - began
    run.check("never-stuck", read < LATE_SECONDS, f"a read took {read:.1f} s, {place} stopped")
    began = time.monotonic()
    try:
        _write(hasty)
    except StoreBusy:
        took = time.monotonic() - began
        in_time = BUSY_SECONDS <= took <= BUSY_SECONDS + LATE_SECONDS
    else:
        took, in_time = time.monotonic() - began, False
    run.check(
        "busy-in-time",
        in_time,
        f"{took:.2f} s of {BUSY_SECONDS} s, a writer stopped in the {place}",
    )
    return took


def _waited(run: Run, patient: Store, most: float, place: str) -> float:
    began = time.monotonic()
    _write(patient)
    took = time.monotonic() - began
    run.check("waits-bounded", took <= most, f"{took:.2f} s for a writer stopped in the {place}")
    return took


def _write(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("insert into writes values ('next')")


def _stand(me: Me, path: str, first: int) -> None:
    """Go, turn by turn, where it will be stopped."""
    with connect(path, busy_timeout=_LONG_SECONDS) as store:
        for turn in count(first):
            me.ready()
            me.wait()
            match _PLACES[turn % len(_PLACES)]:
                case "transaction":
                    with store.transaction() as tx:
                        tx.execute("insert into writes values (?)", (me.name,))
                        me.ready()
                        me.wait()
                case "gate":
                    gate = os.open(path + "-gate", os.O_RDWR | os.O_CLOEXEC)
                    fcntl.flock(gate, fcntl.LOCK_EX)
                    me.ready()
                    me.wait()
                    os.close(gate)
                case _:
                    me.ready()
                    with store.transaction() as tx:
                        tx.execute("insert into writes values (?)", (me.name,))
                    me.wait()


SCENARIO = Scenario(
    "stopped",
    "writers are stopped in a transaction, in the gate and in its line: how long others wait",
    run,
    sizes={
        "canary": {"writers": 3},
        "ci": {"writers": 20},
        "nightly": {"writers": 200},
    },
    canaries={
        "busy-late": "busy-in-time",
        "line-stuck": "waits-bounded",
    },
    grows=("writers",),
)
