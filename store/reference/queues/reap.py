"""Taking back what its holder no longer works on."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ...rules.failures.backoff import backoff_ms
from ...types.validate import error_text
from ...types.worker import Progress
from ..memory import Write
from ..rows import DeliveryRow
from . import changes
from .joins import latest
from .joins.halving import halve
from .settle import goes_alone, is_exhausted

EXPIRED = "the lease expired: its worker stalled or died"

# When one of several deliveries has crashed their worker, they come back one by one.
_APART_MS = 250
_MOST_DOUBLINGS = 6

# What a worker held that was lost comes back at once three times, then ever later.
_AT_ONCE = 3
_LONGEST_MS = 55 * 60_000


class Loss(NamedTuple):
    """A claim that its worker did not live to end; the state is the delivery's from now on."""

    delivery: int
    fence: int
    state: str


def reap_expired(write: Write) -> None:
    """Put deliveries whose lease has ended among the ready, or the dead."""
    for row in list(write.tables.deliveries.values()):
        held = write.tables.deliveries[row.id]
        if held.state == "leased" and (held.until_ms or 0) <= write.now:
            group = [each for each in _leased(write) if each.fence == held.fence]
            if len(group) > 1:
                _take_back_group(write, group, EXPIRED)
            else:
                _take_back(write, held, EXPIRED)


def reap_worker(
    write: Write,
    worker: int,
    why: str,
    *,
    crashed: bool,
    overdue: int | None,
    progress: Progress | None,
) -> tuple[list[Loss], list[int]]:
    """Put what a dead worker held among the ready or the dead, or the done if it was.

    Returns what it has lost, and the deliveries that are done.

    Of one that crashed, a delivery that it ran alone is to blame. Of one that was killed
    because `overdue` ran too long, the attempts at all others that it ran do not count.
    """
    held = _held_by(write, worker)
    stages = {row.id: _stage(progress, row.fence) for row in held}
    # What was claimed together is one call, and has the number of its oldest.
    calls = {row.fence: row.id for row in reversed(held)}
    running = list(dict.fromkeys(row.fence for row in held if stages[row.id] == "running"))
    groups = {fence: [row for row in held if row.fence == fence] for fence in calls}
    called_late = {row.fence for row in held if row.id == overdue}
    losses, acknowledged = list[Loss](), list[int]()
    for row in held:
        grouped = len(groups[row.fence]) > 1
        uncounted = not crashed and overdue is not None and row.fence not in called_late
        if (
            grouped
            and stages[row.id] in ("running", "ended")
            and not (uncounted and stages[row.id] == "running")
        ):
            if row.id == calls[row.fence]:
                _take_back_group(write, groups[row.fence], why)
            losses.append(Loss(row.id, row.fence, "ready"))
            continue
        if stages[row.id] == "done":
            _finish(write, row)
            acknowledged.append(row.id)
            continue
        if stages[row.id] == "unbegun":
            state = _undo(write, row)
        elif stages[row.id] == "ended":
            state = _lost(write, row, why)
        elif crashed and len(running) == 1:
            state = _crashed_alone(write, row, why)
        elif crashed:
            place = running.index(row.fence)
            wait = place * _APART_MS * 2 ** min(row.attempt - 1, _MOST_DOUBLINGS)
            state = _take_back(write, row, why, due_ms=write.now + wait if place else None)
        elif row.id == overdue:
            state = _take_back(write, row, why, due_ms=write.now + backoff_ms(row.attempt))
        elif overdue is None or (not grouped and row.attempt == 1 and is_exhausted(row, write.now)):
            state = _lost(write, row, why)
        else:
            state = _undo(write, row)
        losses.append(Loss(row.id, row.fence, state))
    return losses, acknowledged


def _take_back_group(write: Write, group: list[DeliveryRow], why: str) -> None:
    due = write.now + backoff_ms(group[-1].attempt)
    how = latest.give_back if group[-1].address.lane_policy == "latest" else halve
    how(write, group, due_ms=due, error=why)


def _stage(progress: Progress | None, fence: int) -> str:
    if progress is None:
        return "running"
    sets = {"unbegun": progress.unbegun, "done": progress.done, "ended": progress.ended}
    named = [name for name, fences in sets.items() if fence in fences]
    return "unbegun" if fence > progress.known else next(iter(named), "running")


def disown(write: Write, worker: int, keep: Collection[int]) -> int:
    """Put among the ready what a worker holds without having been told; return how many."""
    unheard = [row for row in _held_by(write, worker) if row.fence not in keep]
    for row in unheard:
        _undo(write, row)
    return len(unheard)


def take_back(write: Write, worker: int, fences: Collection[int], done: Collection[int]) -> int:
    """Put among the ready these claims of a worker, which has not begun them; return how many.

    What it has done is acknowledged for it.
    """
    held = _held_by(write, worker)
    unbegun = [row for row in held if row.fence in fences]
    for row in unbegun:
        _undo(write, row)
    for row in held:
        if row.fence in done:
            _finish(write, row)
    return len(unbegun)


def _finish(write: Write, row: DeliveryRow) -> None:
    done = {"state": "done", "parked": False, "result": None, "error": None}
    settled = {"token": None, "settled": row.token, "until_ms": None}
    changes.change(write, row, **done, **settled, changed_ms=write.now)


def _held_by(write: Write, worker: int) -> list[DeliveryRow]:
    return [row for row in _leased(write) if row.worker == worker]


def _leased(write: Write) -> list[DeliveryRow]:
    rows = write.tables.deliveries.values()
    return sorted((row for row in rows if row.state == "leased"), key=lambda row: row.id)


def _crashed_alone(write: Write, row: DeliveryRow, why: str) -> str:
    crashes = row.crashes + 1
    row = write.tables.deliveries[row.id] = row._replace(crashes=crashes)
    if crashes < row.limits.max_crashes or is_exhausted(row, write.now):
        return _take_back(write, row, why)
    before = "" if row.error is None else f"; before that: {row.error}"
    said = error_text(f"given up after crash {crashes}: {why}{before}")
    return _take_back(write, row, said, fatal=True)


def _lost(write: Write, row: DeliveryRow, why: str) -> str:
    due = row.changed_ms + _apart_ms(row.attempt)
    return _take_back(write, row, why, due_ms=due if due > write.now else None)


def _take_back(
    write: Write, row: DeliveryRow, why: str, *, fatal: bool = False, due_ms: int | None = None
) -> str:
    """The token stays: a holder that was only late may still end it until another claims it."""
    if fatal or is_exhausted(row, write.now):
        changes.bury(write, row, why)
        return "dead"
    changes.give_back(write, goes_alone(row), due_ms=due_ms, error=why)
    return "ready"


def _undo(write: Write, row: DeliveryRow) -> str:
    """Give back what was no attempt: nobody heard of it, or another ended it."""
    uncounted = {"attempt": row.attempt - 1, "token": None}
    changes.give_back(write, row, **uncounted)
    return "ready"


def _apart_ms(attempt: int) -> int:
    """Return how far apart attempts begin whose worker was lost: 0, 0, 0, 8 s, 16 s … 55 min."""
    return 0 if attempt <= _AT_ONCE else min(_LONGEST_MS, 1_000 * 2 ** min(attempt - 1, 30))
