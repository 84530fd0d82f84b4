"""Many writers at one lock: how long they wait, how fairly, and what it costs.

The same is done behind a bare busy_timeout, for comparison; nothing is asked of that.
"""

from __future__ import annotations

import statistics
from collections import Counter

from ...harness.run import Run
from ...harness.scenario import Scenario
from ...records.percentiles import quantiles
from ...records.report import Finding, Result
from ..writers import BUSY_SECONDS, Cell, Writers

# Of the wait for the lock, on a disk that syncs in half a millisecond; slower ones scale it.
BOUND_MS = {8: 250.0, 16: 500.0, 32: 1000.0}
MOST_MS = 1000.0
SYNC_MS = 0.5
LEAST_SHARE = 0.3
LEAST_THROUGHPUT = 0.7


def run(run: Run) -> None:
    """Measure one writer and many in turn, so that what the machine does hits both alike.

    What does not hold is measured again, up to three times as often, and the middle of all
    rounds counts: a machine that was busy with other things for a while is no finding.
    """
    most = int(run.size["processes"])
    counts = [count for count in BOUND_MS if count <= most] or [most]
    rounds = int(run.size["rounds"])
    measured = _Rounds(run, most)
    for number in range(3 * rounds):
        run.progress(number / (rounds + 1), f"1 writer, then {' and '.join(map(str, counts))}")
        for count in (1, *counts):
            measured.measure(count, gated=True)
        held = all(measured.judge(count).ok for count in counts)
        if number + 1 >= rounds and (held or run.canary):
            break
    if run.size["baseline"]:
        run.progress(rounds / (rounds + 1), "for comparison: busy_timeout alone")
        for count in counts:
            measured.measure(count, gated=False)
    measured.end()
    run.figure("fdatasync_p50_ms", round(measured.sync_ms, 3))
    run.figure(
        "one_writer_per_second", round(statistics.median(c.rate for c in measured.of[1, True]))
    )
    told = []
    for count in counts:
        figures = measured.figures(count)
        judged = measured.judge(count)
        run.add(judged.checked, judged.findings)
        told.append(
            f"{count} writers: {figures['throughput']:.2f} x one, share {figures['share']:.2f},"
            f" p99.9 {figures['p99.9_ms']:.0f} ms"
        )
        _show(run, f"{count}_writers", figures)
        if (count, False) in measured.of:
            bare = measured.figures(count, gated=False)
            _show(run, f"{count}_writers_busy_timeout", bare)
            told[-1] += f" (bare: {bare['share']:.2f}, {bare['p99.9_ms']:.0f} ms)"
    run.says("; ".join(told))


class _Rounds:
    """What was measured.

    Attributes:
        of: By the number of writers and whether they stood at the gate.
    """

    def __init__(self, run: Run, most: int) -> None:
        self.of: dict[tuple[int, bool], list[Cell]] = {}
        self._seconds = run.size["seconds"]
        self._planted = run.canary is not None
        self._writers = Writers(run, most)

    @property
    def sync_ms(self) -> float:
        return statistics.median(self._writers.syncs)

    @property
    def scale(self) -> float:
        """How much slower than the stated one the disk is; 1 when it is not."""
        return max(1.0, self.sync_ms / SYNC_MS)

    def bound(self, count: int) -> float:
        """Return what 999 of 1,000 waits of so many writers have to stay below, in ms."""
        return BOUND_MS.get(count, 1000.0) * self.scale

    def measure(self, count: int, *, gated: bool) -> None:
        """Let so many writers write for a while."""
        cell = self._writers.measure(count, self._seconds, gated=gated)
        self.of.setdefault((count, gated), []).append(cell)

    def end(self) -> None:
        """Let the writers go."""
        self._writers.end()

    def figures(self, count: int, *, gated: bool = True) -> dict[str, float]:
        """Return what so many writers reached, against the one before them in each round."""
        many, one = self.of[count, gated], self.of[1, True]
        pairs = zip(many, one, strict=False)
        waits = [quantiles(cell.waits) for cell in many]
        counts = sum((cell.counts for cell in many), Counter[str]())
        for cell in many:
            for writer in cell.counts:
                counts.setdefault(writer, 0)
        return {
            "throughput": round(statistics.median(m.rate / max(1.0, o.rate) for m, o in pairs), 3),
            "share": round(min(counts.values()) / max(1, *counts.values()), 3),
            "busy": sum(len(cell.gave_up) for cell in many),
            **{
                f"{name}_ms": round(statistics.median(each[name] for each in waits), 1)
                for name in ("p50", "p99", "p99.9", "max")
            },
        }

    def judge(self, count: int) -> Result:
        """Return what holds, and what does not, of so many writers at the gate."""
        figures, verdict = self.figures(count), Result("", 0)
        bound = self.bound(count)

        def check(invariant: str, holds: bool, what: str, times: int = 1) -> None:
            if times:
                verdict.checked[invariant] = verdict.checked.get(invariant, 0) + times
            if not holds:
                verdict.findings.append(Finding(invariant, f"{count} writers: {what}"))

        gave_up = [ms for cell in self.of[count, True] for ms in cell.gave_up]
        writes = sum(len(cell.waits) for cell in self.of[count, True])
        shortest = min(gave_up, default=BUSY_SECONDS * 1000)
        check(
            "busy-in-time",
            shortest >= BUSY_SECONDS * 1000,
            f"StoreBusy after {shortest:.0f} ms of 5,000",
            len(gave_up),
        )
        check("waits-bounded", not gave_up, f"{len(gave_up)} waits ended in StoreBusy", writes)
        check(
            "waits-bounded",
            figures["p99.9_ms"] <= bound,
            f"p99.9 {figures['p99.9_ms']:.0f} ms, the bound is {bound:.0f} ms",
        )
        longest = max(MOST_MS * self.scale, 2 * bound)
        check(
            "waits-bounded",
            figures["max_ms"] <= longest,
            f"a wait of {figures['max_ms']:.0f} ms, the bound is {longest:.0f} ms",
        )
        check(
            "shares-fair",
            figures["share"] >= LEAST_SHARE,
            f"the least got {figures['share']:.2f} of what the greatest got",
        )
        # What is planted is no slower where the disk is.
        least = LEAST_THROUGHPUT / (1.0 if self._planted else self.scale)
        check(
            "throughput-kept",
            figures["throughput"] >= least,
            f"{figures['throughput']:.2f} of one writer's throughput",
        )
        return verdict


def _show(run: Run, name: str, figures: dict[str, float]) -> None:
    for figure, value in figures.items():
        run.figure(f"{name}.{figure}", value)


SCENARIO = Scenario(
    "busy",
    "waits, shares and throughput of many writers, with the gate and with busy_timeout",
    run,
    sizes={
        "canary": {"processes": 8, "seconds": 1.5, "rounds": 1, "baseline": 0},
        "ci": {"processes": 16, "seconds": 1.2, "rounds": 3, "baseline": 1},
        "nightly": {"processes": 32, "seconds": 20, "rounds": 3, "baseline": 1},
    },
    canaries={
        "no-gate": "shares-fair",
        "gives-up-early": "busy-in-time",
        "slow-to-hand-on": "throughput-kept",
    },
    invariants={
        "shares-fair": "no writer gets a much smaller share than another",
        "throughput-kept": "many writers together reach most of one writer's throughput",
    },
    grows=("seconds",),
    alone=True,
)
