"""Abuse of a store's files: by strangers, by careless code, by a disk that forgets bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...checker import check
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...records.history import read
from ..abuse import cuts, forks, places, remounts, rot, strays, taken


def run(run: Run) -> None:
    """Do to a store, part after part, what nobody should."""
    parts: dict[str, Callable[[], object]] = {
        "links planted in place of files": lambda: _listen(run, places.plant_links),
        "masks that let others read": lambda: _listen(run, places.check_modes),
        "file systems remounted read-only": lambda: _listen(
            run, remounts.remount, int(run.size["remounts"])
        ),
        "forks with a store open": lambda: _listen(run, forks.fork, int(run.size["forks"])),
        "bits forgotten": lambda: _rot(run),
        "the database taken away": lambda: taken.take(run),
        "files opened beside SQLite": lambda: strays.stray(run),
        "files cut to nothing": lambda: _listen(run, cuts.cut),
    }
    judged: set[str] = set()
    for number, (words, part) in enumerate(parts.items()):
        run.progress(number / len(parts), words)
        part()
        for folder in sorted(run.folder.glob("history-*")):
            if folder.name not in judged:
                judged.add(folder.name)
                run.add(*check(read(folder)))
        if run.canary and run.has_findings:
            return


def _listen(run: Run, entry: Callable[..., None], *arguments: Any) -> list[dict[str, Any]]:
    """Run an entry that tells what it did; return all that it told."""
    child = run.start(entry.__name__, entry, str(run.folder), *arguments)
    told: list[dict[str, Any]] = []
    while "done" not in (facts := child.heard()):
        told.append(facts)
        run.fault(facts["fault"])
        for invariant, held, words in facts["verdicts"]:
            run.check(invariant, held, words)
    child.join()
    return told


def _rot(run: Run) -> None:
    told = _listen(run, rot.rot, int(run.size["rots"]), int(run.size["wal_rots"]))
    kept = sorted(100 * facts["kept"] for facts in told if "kept" in facts)
    damaged = len(told) - len(kept)
    run.figure("damaged_copies", damaged)
    if kept:
        run.figure("kept_after_a_flip_in_the_wal_p50_pct", round(kept[len(kept) // 2]))
    run.says(f"{damaged} damaged copies, all noticed" if not run.has_findings else "")


SCENARIO = Scenario(
    "files",
    "files linked, moved, cut, copied, forked with, damaged; file systems made read-only",
    run,
    sizes={
        "canary": {"strays": 1, "forks": 2, "remounts": 2, "rots": 12, "wal_rots": 0},
        "ci": {"strays": 10, "forks": 10, "remounts": 10, "rots": 200, "wal_rots": 10},
        "nightly": {"strays": 10, "forks": 100, "remounts": 100, "rots": 2000, "wal_rots": 200},
        "release": {"strays": 10, "forks": 100, "remounts": 500, "rots": 20_000, "wal_rots": 2000},
    },
)
