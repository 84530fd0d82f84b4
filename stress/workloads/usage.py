"""What processes and a store's files take over a long time, and whether that has an end."""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..harness.run import Run
from ..machine.processes import name_of
from ..records.census import census

MOST_DESCRIPTORS = 64
MOST_WAL_BYTES = 16 * 1024 * 1024
MOST_DATABASE_BYTES = 64 * 1024 * 1024
# What is enqueued within the retention, and a tick of upkeep, and twice as much.
MOST_ROWS = 5_000
# How much more than at first a process may have at last.
GROWTH = 1.25
GROWTH_BYTES = 16 * 1024 * 1024
GROWTH_DESCRIPTORS = 8

_LEAST_SAMPLES = 9
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Usage:
    """What all processes and the store's files take, over time."""

    def __init__(self, path: Path, processes: Callable[[], list[tuple[str, int]]]) -> None:
        """`processes` returns the role and the pid of each that there is now."""
        self._address = path
        self._now = processes
        self._store: dict[str, list[int]] = defaultdict(list)
        # (bytes, descriptors) by role and process.
        self._processes: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)

    def sample(self) -> None:
        """Look at everything once."""
        for role, pid in self._now():
            with suppress(FileNotFoundError, ProcessLookupError):
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
                descriptors = len(os.listdir(f"/proc/{pid}/fd"))
                self._processes[role, name_of(pid)].append((resident, descriptors))
        with census(self._address) as seen:
            for name, size in seen.sizes().items():
                self._store[name].append(size)

    def judge(self, run: Run) -> None:
        """Hold everything to its bound."""
        for name, bound in (("rows", MOST_ROWS), ("database", MOST_DATABASE_BYTES)):
            run.checked("bounded", len(self._store[name]))
            if (most := self._most(name)) > bound:
                run.broken("bounded", f"{name}: {most}, the bound is {bound}")
        most = self._most("WAL")
        run.check("wal-bounded", most <= MOST_WAL_BYTES, f"the WAL came to {most} bytes")
        for (role, process), samples in self._processes.items():
            run.checked("bounded", len(samples))
            most = max(descriptors for _, descriptors in samples)
            if most > MOST_DESCRIPTORS:
                run.broken("bounded", f"{role} {process} came to {most} descriptors")
            if len(samples) >= _LEAST_SAMPLES:
                self._judge_growth(run, f"{role} {process}", samples)
        run.figure("wal_most_bytes", self._most("WAL"))
        run.figure("rows_most", self._most("rows"))
        run.figure("resident_most_bytes", self._most_of(0))
        run.figure("descriptors_most", self._most_of(1))

    def _judge_growth(self, run: Run, who: str, samples: list[tuple[int, int]]) -> None:
        # From the middle third to the last: the first has what a process takes to begin.
        third = len(samples) // 3
        before, after = (
            [statistics.median(sample[i] for sample in part) for i in (0, 1)]
            for part in (samples[third : 2 * third], samples[2 * third :])
        )
        if after[0] > before[0] * GROWTH + GROWTH_BYTES:
            run.broken("bounded", f"{who} went from {before[0]:.0f} to {after[0]:.0f} bytes")
        if after[1] > before[1] + GROWTH_DESCRIPTORS:
            run.broken("bounded", f"{who} went from {before[1]:.0f} to {after[1]:.0f} descriptors")

    def says(self) -> str:
        """Return the greatest so far, in a few words."""
        resident, descriptors = self._most_of(0), self._most_of(1)
        return (
            f"{resident / 2**20:.0f} MiB, {descriptors} descriptors, WAL"
            f" {self._most('WAL') / 2**20:.1f} MiB, {self._most('rows')} rows at most"
        )

    def _most(self, name: str) -> int:
        return max(self._store[name], default=0)

    def _most_of(self, which: int) -> int:
        return max((each[which] for s in self._processes.values() for each in s), default=0)
