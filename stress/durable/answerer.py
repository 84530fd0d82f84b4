"""Who answers handlers that wait: early, late, twice, and within milliseconds of the deadline."""

from __future__ import annotations

import heapq
import time
from pathlib import Path

from ...store import connect
from ..harness.child_processes import Me
from .attempt import answer
from .notes import Notes
from .plan import ANSWER, COROUTINE, PLAIN

_LOOK_SECONDS = 0.02
_MOST_WAITING = 1000

# Seconds around the deadline.
_JITTERS = (0.002, 0.02, 0.4)
_PATIENT_SECONDS = 0.5
_FAR_SECONDS = 86_400


def serve(me: Me, folder: Path) -> None:
    """Answer what waits, until it is enough."""
    notes = Notes(folder)
    known: set[int] = set()
    due: list[tuple[float, int]] = []
    with connect(folder / "store.db") as store:
        clock = store.engine.clock
        while me.going:
            for queue in (PLAIN, COROUTINE):
                found = store.deliveries(queue=queue, state="sleeping", limit=_MOST_WAITING)
                for each in found:
                    if each.asleep == ANSWER and each.id not in known and each.due_at is not None:
                        known.add(each.id)
                        at = _when(me, each.due_at, clock.now_ms() / 1000)
                        if at is not None:
                            heapq.heappush(due, (at, each.id))
            until = time.monotonic() + _LOOK_SECONDS
            while due and (wait := due[0][0] - clock.now_ms() / 1000) < _LOOK_SECONDS:
                time.sleep(max(0.0, wait))
                _, id = heapq.heappop(due)
                value = {"by": me.name, "to": id}
                status = answer(store, notes, id, value)
                if status == "accepted" and me.random.random() < 0.5:
                    answer(store, notes, id, value)
            time.sleep(max(0.0, until - time.monotonic()))


def _when(me: Me, deadline: float, now: float) -> float | None:
    """Return when to answer, on the store's clock; None not to."""
    if deadline > now + _FAR_SECONDS:  # there is none
        return now + me.random.uniform(0, _PATIENT_SECONDS)
    chance = me.random.random()
    if chance < 0.25:
        return None
    if chance < 0.4:
        return now
    jitter = me.random.choice(_JITTERS)
    return deadline + me.random.uniform(-jitter, jitter)
