"""File systems that become read-only under a live store, and disks that forget bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...checker import check
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...records.history import read
from ..remounts import remount
from ..rot import rot


def run(run: Run) -> None:
    """Remount stores read-only and judge what their users noted; then damage copies of one."""
    run.progress(0, "file systems remounted read-only")
    _listen(run, remount, int(run.size["remounts"]))
    for folder in sorted(run.folder.glob("history-*")):
        run.add(*check(read(folder)))
    if run.canary and run.has_findings:
        return
    run.progress(0.5, "bits forgotten")
    told = _listen(run, rot, int(run.size["rots"]), int(run.size["wal_rots"]))
    kept = sorted(100 * facts["kept"] for facts in told if "kept" in facts)
    damaged = len(told) - len(kept)
    run.figure("damaged_copies", damaged)
    if kept:
        run.figure("kept_after_a_flip_in_the_wal_p50_pct", round(kept[len(kept) // 2]))
    run.says(f"{damaged} damaged copies, all noticed" if not run.has_findings else "")


def _listen(run: Run, entry: Callable[..., None], *arguments: Any) -> list[dict[str, Any]]:
    """Run an entry that tells what it did; return all that it told.

    Each time it tells `fault` and `verdicts`, a list of (invariant, whether it held, in
    words), and `done` at last.
    """
    child = run.start(entry.__name__, entry, str(run.folder), *arguments)
    told: list[dict[str, Any]] = []
    while "done" not in (facts := child.heard()):
        told.append(facts)
        run.fault(facts["fault"])
        for invariant, held, words in facts["verdicts"]:
            run.check(invariant, held, words)
    child.join()
    return told


SCENARIO = Scenario(
    "files",
    "file systems become read-only under an open store; bits flip in the database and its WAL",
    run,
    sizes={
        "canary": {"remounts": 2, "rots": 12, "wal_rots": 0},
        "ci": {"remounts": 10, "rots": 200, "wal_rots": 10},
        "nightly": {"remounts": 100, "rots": 2000, "wal_rots": 200},
    },
    canaries={
        "without-checksums": "integrity",
        "commit-ignored": "nothing-lost",
    },
    grows=("remounts", "rots", "wal_rots"),
)
