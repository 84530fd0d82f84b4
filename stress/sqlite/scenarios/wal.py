"""The WAL under readers: how large it becomes, and how long writers wait for checkpoints.

At first readers overlap all the time, each of them short. Then one begins and does not end:
writers go on, and the store says who it is.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ....store import Store, connect
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...machine import trials
from ...records.history import read
from ...records.percentiles import quantile, quantiles
from ..reader import Reader

# Beside reads of 20 ms. Where the machine makes them longer it is scaled, but not without end.
BOUND_BYTES = 16 * 1024 * 1024
MOST_SCALE = 2.5
# Of a write, on a disk that syncs in half a millisecond; slower ones scale it.
BOUND_MS = 100.0
SYNC_MS = 0.5
# Where writes stall without any reader it is so much more, but not without end: a checkpoint
# that waits for ever has to be seen.
CALM_TIMES = 3
MOST_MS = 1500.0

_READERS = 4
_READ_SECONDS = 0.02
_USUAL_DELAY = 1.5
_MOST_TOLD = 2_000
_SMALL, _LARGE = 200, 24 * 1024
_TICKS = 3


class _Stretch:
    """What one writer saw.

    Attributes:
        figures: Percentiles of how long a write took, in milliseconds.
        wal_bytes: The largest that the WAL was after one.
    """

    def __init__(self, run: Run, name: str, path: Path, writes: int, size: int) -> None:
        run.start(name, _write, path, writes, size).join(PATIENCE_SECONDS + writes / 20)
        calls = [call for call in read(run.folder / "history") if call.op == "wrote"]
        self.figures = quantiles(call.answer["ms"] for call in calls)
        self.wal_bytes = max((int(call.answer["wal"]) for call in calls), default=0)
        shutil.rmtree(run.folder / "history")


def run(run: Run) -> None:
    """Write beside readers that overlap, then beside one that does not end."""
    rounds, writes = int(run.size["rounds"]), int(run.size["writes"])
    path = run.folder / "store.db"
    connect(path).close()
    calm = _Stretch(run, "writer-alone", path, writes, _SMALL)
    readers = [run.start(f"reader-{n}", _read, path) for n in range(_READERS)]
    for reader in readers:
        reader.heard()
    syncs: list[float] = []
    beside: list[_Stretch] = []
    for number in range(rounds):
        run.progress(0.7 * number / rounds, f"{writes} writes beside readers")
        syncs += trials.fdatasync_ms(run.folder, 100)
        beside.append(_Stretch(run, f"writer-{number}", path, writes, _SMALL))
    for reader in readers:
        reader.enough()
    reads = sorted(ms for reader in readers for ms in reader.heard()["ms"])
    sync_ms = statistics.median(syncs)
    run.figure("fdatasync_p50_ms", round(sync_ms, 3))
    run.figure("reads", len(reads))
    run.figure("read_p99_ms", round(quantile(reads, 0.99), 1))
    _judge(run, "beside readers", beside, bound_ms(sync_ms, calm.figures["max"]))
    most = max(stretch.wal_bytes for stretch in beside)
    run.figure("wal_most_bytes", most)
    slow = quantile(reads, 0.99) / (_READ_SECONDS * 1000 * _USUAL_DELAY)
    bound = int(BOUND_BYTES * min(max(1.0, slow), MOST_SCALE))
    run.check(
        "wal-bounded",
        most <= bound,
        f"beside readers the WAL came to {most} bytes, the bound is {bound}",
    )
    if not (run.canary and run.has_findings):
        large = int(run.size["large_writes"])
        calm = _Stretch(run, "large-writer-alone", path, large, _LARGE)
        with connect(path) as store:
            stuck = _stuck(run, store, path)
        _judge(run, "beside a stuck reader", stuck, bound_ms(sync_ms, calm.figures["max"]))
    run.says(
        f"WAL {most / 2**20:.1f} MB, write p99.9"
        f" {statistics.median(each.figures['p99.9'] for each in beside):.0f} ms"
    )


def bound_ms(sync_ms: float, calm_ms: float) -> float:
    """Return what a write is held to; `calm_ms` is the longest one without any reader."""
    return max(
        BOUND_MS * max(1.0, sync_ms / SYNC_MS), min(BOUND_MS + CALM_TIMES * calm_ms, MOST_MS)
    )


def _stuck(run: Run, store: Store, path: Path) -> list[_Stretch]:
    """Let a reader begin and not end; return what writers saw."""
    rounds, writes = int(run.size["rounds"]), int(run.size["large_writes"])
    store.engine.upkeep.tick()
    reader = run.start("reader-stuck", _stick, path)
    reader.heard()
    run.fault("reader stuck")
    found = []
    for number in range(rounds):
        run.progress(0.7 + 0.3 * number / rounds, f"{writes} writes beside a stuck reader")
        found.append(_Stretch(run, f"large-writer-{number}", path, writes, _LARGE))
    ticks = [store.engine.upkeep.tick() for _ in range(_TICKS)]
    alarms = [alarm for tick in ticks if tick is not None for alarm in tick.alarms]
    run.figure("wal_behind_stuck_reader_bytes", _wal(path))
    run.check(
        "alarm-raised",
        any(f"process {reader.pid} " in alarm for alarm in alarms),
        f"process {reader.pid} holds back {_wal(path)} bytes of WAL, and upkeep says {alarms}",
    )
    step = next(step for step in store.probe().steps if step.name == "checkpoint")
    run.check("alarm-raised", step.warning, f"the probe does not warn: {step.detail}")
    reader.enough()
    reader.join()
    _Stretch(run, "writer-after", path, 100, _LARGE)
    store.engine.upkeep.tick()
    size = _wal(path)
    run.check("wal-bounded", size <= BOUND_BYTES, f"with its reader gone the WAL has {size} bytes")
    return found


def _judge(run: Run, where: str, stretches: Sequence[_Stretch], bound: float) -> None:
    """Hold the middle one of the stretches to the bound: any can meet a stall of the machine."""
    for name in ("p50", "p99.9", "max"):
        each = [stretch.figures[name] for stretch in stretches]
        middle = statistics.median(each)
        run.figure(f"write_{where.replace(' ', '_')}_{name}_ms", round(middle, 1))
        if name != "p50":
            run.check(
                "waits-bounded",
                middle <= bound,
                f"{where}: {name} of a write is {middle:.0f} ms, the bound is {bound:.0f} ms;"
                f" of each stretch {[round(ms) for ms in each]}",
            )


def _write(me: Me, path: Path, writes: int, size: int) -> None:
    with connect(path, create=False) as store:
        queue = store.queue("work")
        for _ in range(writes):
            body = me.random.randbytes(size)
            began = time.perf_counter()
            queue.enqueue(body)
            ms = (time.perf_counter() - began) * 1000
            me.history.seen("wrote", ms=ms, wal=_wal(path))


def _read(me: Me, path: Path) -> None:
    reader, took = Reader(str(path)), deque[float](maxlen=_MOST_TOLD)
    me.ready()
    while me.going:
        began = time.perf_counter()
        reader.begin()
        time.sleep(_READ_SECONDS)
        reader.end()
        took.append((time.perf_counter() - began) * 1000)
    me.ready(ms=list(took))


def _stick(me: Me, path: Path) -> None:
    reader = Reader(str(path))
    reader.begin()
    me.ready()
    me.wait()
    reader.end()


def _wal(path: Path) -> int:
    with suppress(FileNotFoundError):
        return os.stat(f"{path}-wal").st_size
    return 0


SCENARIO = Scenario(
    "wal",
    "size of the WAL beside readers that overlap, and beside one that never ends",
    run,
    sizes={
        "canary": {"rounds": 1, "writes": 1_500, "large_writes": 400},
        "ci": {"rounds": 3, "writes": 1_500, "large_writes": 150},
        "nightly": {"rounds": 5, "writes": 20_000, "large_writes": 1_000},
    },
    canaries={
        "no-checkpoints": "wal-bounded",
        "alarm-silenced": "alarm-raised",
        "too-patient": "waits-bounded",
    },
    invariants={
        "alarm-raised": "what only an operator can repair is reported",
    },
    grows=("rounds",),
    alone=True,
)
