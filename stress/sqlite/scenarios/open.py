"""Opening at once: a store that is not there, one half made, one whose WAL is large.

Whoever makes a store may be killed at any write to the disk; who comes next makes it whole.
"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from ....store import connect
from ....store.errors import FencepostError
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...machine import trials
from ...records.history import Recorder, read
from ...records.percentiles import quantiles
from ...workloads.drain import drain, note_final
from ...workloads.noted import enqueue
from .. import census
from ..disk import killed
from ..reader import Reader

# To open after a crash, on a disk that syncs in half a millisecond; slower ones scale it.
BOUND_MS = 2000.0
SYNC_MS = 0.5

_BODY_BYTES = 1_000_000


def run(run: Run) -> None:
    """Have all processes open each store at the same moment."""
    count, rounds = int(run.size["processes"]), int(run.size["rounds"])
    plan = ["half made" if number % 2 else "new" for number in range(rounds)]
    plan += ["crashed"] * int(run.size["recoveries"])
    for number in range(len(plan)):
        (run.folder / f"{number}").mkdir(mode=0o700)
    half = [number for number, kind in enumerate(plan) if kind == "half made"]
    maker = run.start("maker", _make_and_die, str(run.folder), int(run.size["kills"]), half)
    openers = [
        run.start(f"opener-{n}", _open_each, str(run.folder), len(plan)) for n in range(count)
    ]
    _make(run, maker)
    took: dict[str, list[float]] = {"new": [], "half made": [], "crashed": []}
    for number, kind in enumerate(plan):
        if run.canary and run.has_findings:
            return
        run.progress((number + 1) / (len(plan) + 1), f"{count} open a store that is {kind}")
        if kind == "crashed":
            _crash(run, number)
        took[kind] += _round(run, openers, number)
    for opener in openers:
        opener.join()
    _tell(run, took)


def _make(run: Run, maker: Child) -> None:
    """Have one killed that makes a store, at each write to the disk, and look what comes then."""
    while "done" not in (facts := maker.heard()):
        run.fault("killed while making a store")
        run.check("all-open", facts["error"] is None, f"{facts['after']}: {facts['error']}")
        run.check(
            "integrity", facts["whole"], f"{facts['after']}: the next made {facts['tables']} tables"
        )
        if run.canary and run.has_findings:
            return
    run.fault("killed while making a store", facts["done"])
    maker.join()


def _make_and_die(me: Me, work: str, kills: int, half: list[int]) -> None:
    alone = Path(work, "alone", "store.db")
    alone.parent.mkdir(mode=0o700)
    operations = killed.count(_make_one, alone)
    tables = census.tables(alone)
    points = range(1, operations + 1)
    for at in me.random.sample(points, min(kills, operations)) if kills else points:
        folder = Path(work, f"killed-{at}")
        folder.mkdir(mode=0o700)
        killed.kill_at(at, _make_one, folder / "store.db")
        error, found = None, []
        try:
            with connect(folder / "store.db", busy_timeout=PATIENCE_SECONDS) as store:
                store.queue("mail").enqueue(b"first", key="first")
            found = census.tables(folder / "store.db")
        except FencepostError as refused:
            error = f"{refused.code}: {refused}"
        me.ready(
            after=f"a maker was killed at operation {at} of {operations}",
            error=error,
            whole=error is not None or found == tables,
            tables=len(found),
        )
        shutil.rmtree(folder)
    for number in half:
        at = me.random.choice(points)
        killed.kill_at(at, _make_one, Path(work, f"{number}", "store.db"))
    me.ready(done=len(half))


def _make_one(path: Path) -> None:
    connect(path).close()


def _open_each(me: Me, work: str, rounds: int) -> None:
    for number in range(rounds):
        folder = Path(work, f"{number}")
        history = Recorder(folder.with_name(f"history-{number}"), me.name)
        me.ready()
        me.wait()
        began, error = time.monotonic(), None
        try:
            with connect(folder / "store.db", busy_timeout=PATIENCE_SECONDS) as store:
                took = time.monotonic() - began
                enqueue(history, store.queue("mail"), "the same")
        except FencepostError as refused:
            took, error = time.monotonic() - began, f"{refused.code}: {refused}"
        history.close()
        me.ready(ms=took * 1000, error=error)


def _round(run: Run, openers: list[Child], number: int) -> list[float]:
    """Have all open one store; return how long each took, in milliseconds."""
    path = run.folder / f"{number}" / "store.db"
    for opener in openers:
        opener.heard()
    for opener in openers:
        opener.go()
    answers = [opener.heard() for opener in openers]
    for opener, answer in zip(openers, answers, strict=True):
        run.check("all-open", answer["error"] is None, f"{opener.name}: {answer['error']}")
    history = Recorder(run.folder / f"history-{number}", "scenario")
    if not any(answer["error"] for answer in answers):
        with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
            drain(store, history, "mail")
            note_final(store, history)
        history.seen("integrity", says=census.integrity(path))
        ours = (census.tables(path), census.version(path))
        first = run.folder / "alone" / "store.db"
        run.check(
            "integrity",
            ours == (census.tables(first), census.version(first)),
            f"store {number} has not the tables of one that was opened by one process",
        )
    history.close()
    run.add(*check(read(run.folder / f"history-{number}")))
    if not run.has_findings:
        shutil.rmtree(path.parent)
    return [answer["ms"] for answer in answers]


def _crash(run: Run, number: int) -> None:
    """Leave a store whose owner was killed with a large WAL."""
    path = run.folder / f"{number}" / "store.db"
    writer = run.start(f"writer-{number}", _write, str(path), run.size["wal_mb"])
    writer.heard()
    writer.kill()
    run.fault("killed with a large WAL")
    run.figure("wal_mb", round(Path(f"{path}-wal").stat().st_size / 1e6))


def _write(me: Me, path: str, wal_mb: float) -> None:
    number = Path(path).parent.name
    history = Recorder(me.folder / f"history-{number}", me.name)
    store = connect(path, busy_timeout=PATIENCE_SECONDS)
    reader = Reader(path)
    reader.begin()
    queue = store.queue("mail")
    for n in range(round(wal_mb * 1e6 / _BODY_BYTES)):
        enqueue(history, queue, f"{n}", me.random.randbytes(_BODY_BYTES))
    me.ready()
    me.wait()
    reader.end()


def _tell(run: Run, took: dict[str, list[float]]) -> None:
    sync_ms = statistics.median(trials.fdatasync_ms(run.folder, 100))
    run.figure("fdatasync_p50_ms", round(sync_ms, 3))
    bound = BOUND_MS * max(1.0, sync_ms / SYNC_MS)
    took = {kind: waits for kind, waits in took.items() if waits}
    for kind, waits in took.items():
        for name, ms in quantiles(waits).items():
            run.figure(f"{kind}.{name}_ms", round(ms, 1))
    for ms in took.get("crashed", ()):
        run.check("all-open", ms <= bound, f"opened after {ms:.0f} ms, the bound is {bound:.0f} ms")
    slowest = ", ".join(f"{kind} {max(waits):.0f} ms" for kind, waits in took.items())
    run.says(f"slowest opening: {slowest}")


SCENARIO = Scenario(
    "open",
    "many processes open a new, a half-created or a crashed store at the same time",
    run,
    sizes={
        "canary": {"processes": 6, "rounds": 4, "recoveries": 0, "kills": 12, "wal_mb": 0},
        "ci": {"processes": 16, "rounds": 5, "recoveries": 1, "kills": 12, "wal_mb": 80},
        "nightly": {"processes": 16, "rounds": 30, "recoveries": 20, "kills": 0, "wal_mb": 80},
    },
    canaries={
        "opens-without-patience": "all-open",
        "schema-in-pieces": "all-open",
    },
    grows=("rounds", "recoveries"),
)
