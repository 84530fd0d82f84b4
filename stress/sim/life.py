"""A life from its seed to its end, and what is to be told of it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from ..sqlite.disk.disk import disk
from .verdict import Broken
from .world import World

# Files in memory where there is a place for them: what a disk would lose is worked out.
_MEMORY = Path("/dev/shm")

_TRACED = 300


class Lives:
    """What is to be told of some lives.

    Attributes:
        counts: lives, steps, simulated_ms and milliseconds, of all of them.
        findings: (seed, invariant, what) each.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        self._folder = folder
        self._steps = steps
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.findings: list[tuple[int, str, str]] = []
        self._last: tuple[list[tuple[object, ...]], str] = [], ""

    @property
    def digest(self) -> str:
        """Return a digest of the last life; that of a seed is always the same."""
        trace, folder = self._last
        text = "\n".join(map(str, trace)).replace(folder, "")
        return hashlib.sha256(text.encode()).hexdigest()

    def live(self, seed: int) -> None:
        """Live one more; of one that ends badly a trace is left in the folder."""
        began = time.monotonic()
        place = _MEMORY if _MEMORY.is_dir() else self._folder
        folder = Path(mkdtemp(prefix=f"fencepost-sim-{seed}-", dir=place))
        try:
            with disk() as here:
                world = World(seed, folder, here)
                try:
                    world.live(self._steps)
                except Broken as broken:
                    found = {**dict(broken.others), broken.invariant: broken.what}
                    self.findings += [(seed, *finding) for finding in found.items()]
        finally:
            rmtree(folder)
        self._last = world.trace, str(folder)
        if self.findings and self.findings[-1][0] == seed:
            text = "\n".join(" ".join(map(str, line)) for line in world.trace[-_TRACED:])
            (self._folder / f"seed-{seed}.txt").write_text(text)
        self.faults += world.faults
        self.checked += world.judge.checked
        self.counts.update(
            lives=1,
            steps=world.steps,
            simulated_ms=world.simulated_ms,
            milliseconds=round((time.monotonic() - began) * 1000),
        )

    def take(self) -> dict[str, Any]:
        """Return what there is to tell since the last time."""
        told = {
            "counts": dict(self.counts),
            "faults": dict(self.faults),
            "checked": dict(self.checked),
            "findings": list(self.findings),
        }
        for each in (self.counts, self.faults, self.checked, self.findings):
            each.clear()
        return told
