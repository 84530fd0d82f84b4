"""Judging pools that nobody killed: each message handled once, at the first attempt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

from ..checker import check
from ..harness.run import Run
from ..records.census import census, note_end
from ..records.history import Call, Recorder, read
from .command import complaints


def judge(run: Run, folder: Path, *, cut: Collection[str] = ()) -> int:
    """Check all that paced pools have noted, and return how many tries there were.

    Args:
        cut: Pools, by name_of, that were to end before all they had begun was done. What
            they have begun may be tried again, and nothing else.
    """
    history = Recorder(folder / "history", "judge")
    with census(folder / "store.db") as seen:
        note_end(history, seen)
        attempts = {each.key: each.attempt for each in seen.deliveries()}
    history.close()
    calls = read(folder / "history")
    run.add(*check(calls))
    for line in complaints(folder):
        run.broken("typed-errors", f"a pool said: {line}")
    tries: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.op == "tried":
            tries[call.answer["key"]].append(call)
    run.checked("not-handled-twice", len(tries))
    for key, mine in tries.items():
        for says in _says_twice(mine, attempts.get(key, 1), cut):
            run.broken("not-handled-twice", f"{key} {says}")
    return sum(map(len, tries.values()))


def _says_twice(mine: Sequence[Call], attempt: int, cut: Collection[str]) -> list[str]:
    says = [
        f"was tried again by {again.process} after {first.process}, which was let finish"
        for first, again in pairwise(mine)
        if first.answer["pool"] not in cut
    ]
    if attempt > 1 and not any(call.answer["pool"] in cut for call in mine):
        says.append(f"took {attempt} attempts")
    return says
