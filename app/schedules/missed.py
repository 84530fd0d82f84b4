"""Which planned times become messages: on time, late, or missed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from .schedule import MOST_MISSED, MOST_MISSED_MS, Schedule

# Of one transaction.
BATCH = 100

# What is later than this is missed. No supervisor that runs looks so seldom.
LATE_MS = 60_000

_HOUR, _DAY = 3_600_000, 86_400_000
# How far to look back for the newest times: further only when there are too few.
_SPANS_MS = (_HOUR, _DAY, 32 * _DAY, 366 * _DAY)


class Due(NamedTuple):
    """What to do now for a schedule.

    Attributes:
        times: The planned times to enqueue, oldest first, at most BATCH.
        last_ms: All planned times up to this one are then dealt with.
    """

    times: Sequence[int]
    last_ms: int


def due(schedule: Schedule, last_ms: int, now_ms: int, watched_ms: int) -> Due:
    """Return what to do for the planned times after `last_ms`, up to now.

    Args:
        watched_ms: Since then this pool has looked without a pause. What is late since was not
            missed for want of a pool: it comes at least once.
    """
    missed = schedule.rule.missed
    if missed == "each":
        found = _newest(schedule, max(last_ms, now_ms - MOST_MISSED_MS), now_ms, MOST_MISSED)
        times = found[:BATCH]
        return Due(times, times[-1] if times else now_ms)
    late_ms = now_ms - LATE_MS
    late = _newest(schedule, last_ms, late_ms - 1, 1)
    on_time = _newest(schedule, max(last_ms, late_ms - 1), now_ms, BATCH)
    newest = (on_time or late or [now_ms])[-1]
    if not late or (missed == "skip" and late[0] <= watched_ms):
        return Due(on_time, newest)
    return Due([newest], newest)


def _newest(schedule: Schedule, after_ms: int, until_ms: int, most: int) -> list[int]:
    """Return the newest planned times of an interval, oldest first."""
    for span in (*_SPANS_MS, until_ms):
        start = max(after_ms, until_ms - span)
        found = list(takewhile(lambda at: at <= until_ms, schedule.times(start)))
        if len(found) >= most or start <= after_ms:
            break
    return found[-most:]
