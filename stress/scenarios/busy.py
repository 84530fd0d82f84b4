"""Many writers at one lock: how long they wait, how fairly, and what it costs.

The same is done behind a bare busy_timeout, for comparison; nothing is asked of that.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter

from ...store import connect
from ...store.errors import StoreBusy
from .. import probe
from ..fleet import Me
from ..history import Call, read
from ..report import Chart
from ..run import Run
from ..scenario import Scenario
from ..sqlite.bare import BareWriter
from ..waits import over_time, quantiles

BUSY_SECONDS = 5.0
# Of the wait for the lock, on a disk that syncs in half a millisecond; slower ones scale it.
BOUND_MS = {8: 250.0, 16: 500.0, 32: 1000.0}
SYNC_MS = 0.5
LEAST_SHARE = 0.3
LEAST_THROUGHPUT = 0.7

_BODY = bytes(1024)


def run(run: Run) -> None:
    """Measure one writer and many in turn, so that what the machine does hits both alike."""
    most = int(run.size["processes"])
    counts = [count for count in BOUND_MS if count <= most] or [most]
    plan = [
        (n, True) for _ in range(int(run.size["rounds"])) for count in counts for n in (1, count)
    ]
    plan += [(count, False) for count in counts if run.size["baseline"]]
    syncs: list[float] = []
    for cell, (count, gated) in enumerate(plan):
        behind = "the gate" if gated else "busy_timeout alone"
        run.progress(cell / len(plan), f"{count} writers behind {behind}")
        syncs += probe.fdatasync_ms(run.folder, 100)
        _measure(run, cell, count, gated=gated)
    sync_ms = statistics.median(syncs)
    run.figure("fdatasync_p50_ms", round(sync_ms, 3))
    calls = read(run.folder / "history")
    measured = [_Cell(calls, cell, run.size["seconds"]) for cell in range(len(plan))]
    of = {key: [measured[i] for i, each in enumerate(plan) if each == key] for key in set(plan)}
    one = statistics.median(cell.rate for cell in of[1, True])
    run.figure("one_writer_per_second", round(one))
    told = []
    for count in counts:
        figures = _figures(of[count, True], one)
        _judge(run, count, of[count, True], figures, max(1.0, sync_ms / SYNC_MS))
        told.append(f"{count}: {figures['throughput']:.2f} x, p99.9 {figures['p99.9_ms']:.0f} ms")
        _show(run, f"{count}_writers", figures)
        if bare := of.get((count, False)):
            _show(run, f"{count}_writers_busy_timeout", _figures(bare, one))
        run.chart(
            over_time(
                f"Wait for the lock, {count} writers",
                [wait for cell in of[count, True] for wait in cell.waits],
                y="ms",
                bound=BOUND_MS.get(count),
            )
        )
    run.chart(_shares(counts, of))
    run.chart(_throughput(plan, measured, syncs))
    run.says("; ".join(told))


class _Cell:
    """What so many writers did in one stretch of time.

    Attributes:
        waits: (boot clock's seconds, milliseconds) of each commit.
        counts: Commits by the writer's number.
        gave_up: How long each StoreBusy took to come, in milliseconds.
    """

    def __init__(self, calls: list[Call], cell: int, seconds: float) -> None:
        mine = [call for call in calls if call.process.startswith(f"{cell}-")]
        self.waits = [(call.began / 1e9, call.answer["ms"]) for call in mine if call.op == "waited"]
        self.counts = Counter(call.process.split("-")[1] for call in mine if call.op == "waited")
        for call in mine:
            self.counts.setdefault(call.process.split("-")[1], 0)
        self.gave_up = [call.answer["ms"] for call in mine if call.op == "gave up"]
        self.rate = len(self.waits) / seconds


def _measure(run: Run, cell: int, count: int, *, gated: bool) -> None:
    folder = run.folder / f"{cell}"
    folder.mkdir(mode=0o700)
    path, seconds = str(folder / "store.db"), run.size["seconds"]
    if gated:
        with connect(path) as store, store.transaction() as tx:
            tx.execute("create table writes (writer text, body blob)")
    else:
        BareWriter(path, 0)
    entry = _write if gated else _write_bare
    children = [run.start(f"{cell}-{n}", entry, path, seconds) for n in range(count)]
    for child in children:
        child.heard()
    for child in children:
        child.go()
    for child in children:
        child.join(seconds + 60)


def _write(me: Me, path: str, seconds: float) -> None:
    with connect(path, busy_timeout=BUSY_SECONDS) as store:
        _start(me)
        end = time.monotonic() + seconds
        while (asked := time.monotonic()) < end:
            try:
                with store.transaction() as tx:
                    waited = time.monotonic() - asked
                    tx.execute("insert into writes values (?, ?)", (me.name, _BODY))
                me.history.seen("waited", ms=waited * 1000)
            except StoreBusy as error:
                me.history.seen("gave up", ms=error.waited * 1000)


def _write_bare(me: Me, path: str, seconds: float) -> None:
    writer = BareWriter(path, int(BUSY_SECONDS * 1000))
    _start(me)
    end = time.monotonic() + seconds
    while (asked := time.monotonic()) < end:
        if writer.begin():
            waited = time.monotonic() - asked
            writer.insert(me.name, _BODY)
            me.history.seen("waited", ms=waited * 1000)
        else:
            me.history.seen("gave up", ms=(time.monotonic() - asked) * 1000)


def _start(me: Me) -> None:
    me.history.seen("joined")
    me.ready()
    me.wait()


def _figures(cells: list[_Cell], one: float) -> dict[str, float]:
    counts = sum((cell.counts for cell in cells), Counter())
    for cell in cells:
        for writer in cell.counts:
            counts.setdefault(writer, 0)
    waits = quantiles(ms for cell in cells for _, ms in cell.waits)
    return {
        "throughput": round(statistics.median(cell.rate for cell in cells) / one, 3),
        "share": round(min(counts.values()) / max(1, *counts.values()), 3),
        "busy": sum(len(cell.gave_up) for cell in cells),
        **{f"{name}_ms": round(ms, 1) for name, ms in waits.items()},
    }


def _show(run: Run, name: str, figures: dict[str, float]) -> None:
    for figure, value in figures.items():
        run.figure(f"{name}.{figure}", value)


def _judge(
    run: Run, count: int, cells: list[_Cell], figures: dict[str, float], scale: float
) -> None:
    bound = BOUND_MS.get(count, 1000.0) * scale
    for cell in cells:
        run.checked("busy-in-time", len(cell.waits))
        for ms in cell.gave_up:
            if ms < BUSY_SECONDS * 1000:
                run.broken("busy-in-time", f"{count} writers: StoreBusy after {ms:.0f} ms of 5,000")
            run.broken(
                "waits-bounded", f"{count} writers: a wait of {ms:.0f} ms ended in StoreBusy"
            )
    run.check(
        "waits-bounded",
        figures["p99.9_ms"] <= bound,
        f"{count} writers: p99.9 {figures['p99.9_ms']:.0f} ms, the bound is {bound:.0f} ms",
    )
    run.check(
        "shares-fair",
        figures["share"] >= LEAST_SHARE,
        f"{count} writers: the least got {figures['share']:.2f} of what the greatest got",
    )
    run.check(
        "throughput-kept",
        figures["throughput"] >= LEAST_THROUGHPUT / scale,
        f"{count} writers: {figures['throughput']:.2f} of one writer's throughput",
    )


def _shares(counts: list[int], of: dict[tuple[int, bool], list[_Cell]]) -> Chart:
    bars: dict[str, list[tuple[float | str, float]]] = {}
    for gated, name in ((True, "the gate"), (False, "busy_timeout alone")):
        if cells := of.get((counts[-1], gated)):
            total = sum((cell.counts for cell in cells), Counter())
            writers = sorted({writer for cell in cells for writer in cell.counts}, key=int)
            whole = max(1, sum(total.values()))
            bars[name] = [(writer, 100 * total[writer] / whole) for writer in writers]
    return Chart(f"Share of each of {counts[-1]} writers", "bars", "writer", "% of commits", bars)


def _throughput(plan: list[tuple[int, bool]], measured: list[_Cell], syncs: list[float]) -> Chart:
    each = len(syncs) // len(plan)
    bars: dict[str, list[tuple[float | str, float]]] = {
        "commits a second": [],
        "fdatasyncs a second": [],
    }
    for i, ((count, gated), cell) in enumerate(zip(plan, measured, strict=True)):
        label = f"{i + 1}: {count}{'' if gated else ' bare'}"
        sync = statistics.mean(syncs[i * each : (i + 1) * each])
        bars["commits a second"].append((label, cell.rate))
        bars["fdatasyncs a second"].append((label, 1000 / sync))
    return Chart("Throughput beside the disk's own", "bars", "stretch: writers", "a second", bars)


SCENARIO = Scenario(
    "busy",
    "writers against the gate and busy_timeout: waits, shares, throughput",
    run,
    sizes={
        "canary": {"processes": 8, "seconds": 1.5, "rounds": 1, "baseline": 0},
        "ci": {"processes": 16, "seconds": 1.5, "rounds": 3, "baseline": 1},
        "nightly": {"processes": 32, "seconds": 20, "rounds": 3, "baseline": 1},
        "release": {"processes": 32, "seconds": 300, "rounds": 6, "baseline": 1},
    },
    alone=True,
)
