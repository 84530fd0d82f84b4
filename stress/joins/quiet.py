"""Windows while nothing is killed: each call begins when its window is over, and soon then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ...store import Store
from ..harness.run import Run
from .calls import Noted, calls
from .load import Load
from .plan import DECLARED, QUIET, QUIET_DEBOUNCED, Plan, due_of

# Beyond what a commit beside it takes at that moment.
_LATE_MS = 50
_TIMES = 4
_ROUND_SECONDS = 0.02
# When the messages of a key are enqueued, in windows after its first.
_ARRIVALS = ((0.0,), (0.0, 0.6), (0.0, 0.1, 0.2, 0.3), (0.0, 0.5, 0.9))
_KEY = "quiet"


class _Round(NamedTuple):
    """A pause and a commit of this process's own, on the store's clock."""

    began_ms: int
    ended_ms: int


def watch(run: Run, store: Store, load: Load) -> None:
    """Enqueue for quiet keys, a few at a time, until their calls have ended."""
    now_ms, planned = store.engine.clock.now_ms, _planned(int(run.size["windows"]), run)
    begun, fed, rounds = now_ms(), 0, list[_Round]()
    deadline = time.monotonic() + run.size["patience"]
    while fed < len(planned) or load.left(QUIET) or load.left(QUIET_DEBOUNCED):
        if time.monotonic() > deadline:
            return  # what is left is found to be stuck
        while fed < len(planned) and planned[fed][0] <= now_ms() - begun:
            _, queue, key = planned[fed]
            load.enqueue([(queue, Plan(key))])
            fed += 1
        before = now_ms()
        time.sleep(_ROUND_SECONDS)
        with store.transaction() as tx:
            tx.execute("create table if not exists rounds (id integer primary key)")
            tx.execute("insert into rounds default values")
        rounds.append(_Round(before, now_ms()))
    quiet = [call for call in calls(run.folder).calls if call.key.startswith(_KEY)]
    late = [_judge(run, call, rounds) for call in quiet if " " not in call.key]
    run.figure("window_late_ms_max", max(late, default=0))
    run.figure("window_late_ms_median", sorted(late)[len(late) // 2] if late else 0)


def _planned(count: int, run: Run) -> list[tuple[float, str, str]]:
    """Return what is enqueued, and when: some keys at a time, whose windows are over apart."""
    found = []
    for number in range(count):
        queue = QUIET_DEBOUNCED if number % 4 == 3 else QUIET
        window = DECLARED[queue].window_ms or 0
        start = number * run.size["apart"]
        for part in _ARRIVALS[number % len(_ARRIVALS)]:
            found.append((start + part * window, queue, f"{_KEY}{number}"))
    return sorted(found)


def _judge(run: Run, call: Noted, rounds: Sequence[_Round]) -> int:
    """Return by how many milliseconds the call was late."""
    declared = DECLARED[QUIET_DEBOUNCED if int(call.key.removeprefix(_KEY)) % 4 == 3 else QUIET]
    due = due_of(declared, call.arrived_ms)
    late = call.begun_ms - due
    beside = [each for each in rounds if each.ended_ms >= due and each.began_ms <= call.begun_ms]
    slow = max((each.ended_ms - each.began_ms for each in beside), default=0)
    bound = _LATE_MS + _TIMES * max(0, slow - round(_ROUND_SECONDS * 1000))
    words = f"{call.told} was due after {due - call.arrived_ms[0]} ms, and began {late} ms later"
    run.check("window-kept", 0 <= late <= bound, f"{words}; a commit took {slow} ms")
    return late
