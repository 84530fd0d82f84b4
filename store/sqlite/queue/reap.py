"""Taking back expired leases and the claims of dead workers, in bounded steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from operator import itemgetter
from typing import NamedTuple

from ...rules.failures.backoff import apart_ms, backoff_ms, one_by_one_ms
from ...rules.failures.blame import Consequence, consequence, stage
from ...rules.lanes import stands_aside
from ...types.transaction import Row
from ...types.validate import error_text
from ...types.worker import Progress
from ..session.session import Write
from .claimable import LEASED
from .joins import lost
from .transitions import AS_SEEN, COLUMNS, Standing, moved, standings

# The most rows that one claim takes back for everybody; the rest is the next claim's.
_BATCH = 100

_EXPIRED = f"""
select {COLUMNS}
from fp_delivery
where state = 'leased' and lease_until_ms <= :now
limit :batch
"""

_STALLED = "the lease expired: its worker stalled or died"

_OF_WORKER = f"""
select {COLUMNS}, crashes + 1, max_crashes, error, changed_at_ms
from fp_delivery indexed by fp_delivery_until
where {LEASED} and state = 'leased' and worker = :worker
"""

_CRASH = f"update fp_delivery set crashes = crashes + 1 where {AS_SEEN}"

# The token stays, here and below: the late ack of a holder that only stalled is still good
# until somebody else has claimed the delivery.
_RETURN = f"""
update fp_delivery
set state = 'ready', lease_until_ms = null, due_at_ms = :due, behind = max(behind, :behind),
    error = :why, changed_at_ms = :now,
    group_most = iif(:alone, 1, group_most), lane_policy = iif(:alone, 'skip', lane_policy)
where {AS_SEEN}
"""

# What nobody has heard of, or another has ended, was no attempt.
_UNDO = f"""
update fp_delivery
set state = 'ready', attempt = attempt - 1, due_at_ms = null, token = null,
    lease_until_ms = null, changed_at_ms = :now
where {AS_SEEN}
"""

_FINISH = f"""
update fp_delivery
set state = 'done', parked = 0, result = null, error = null, settled_token = token, token = null,
    lease_until_ms = null, changed_at_ms = :now
where {AS_SEEN}
"""

_EXHAUST = f"""
update fp_delivery
set state = 'dead', parked = :parked, lease_until_ms = null,
    due_at_ms = null, error = :why, changed_at_ms = :now
where {AS_SEEN}
"""


def reap_expired(write: Write) -> None:
    """Put deliveries whose lease has ended among the ready, or the dead."""
    rows = write.run(_EXPIRED, {"now": write.now_ms, "batch": _BATCH})
    grouped = set[int]()
    for was in standings(write, rows, "leased"):
        if was.fence in grouped:
            continue
        if was.lane is not None and len(group := lost.group_of(write, was)) > 1:
            grouped.add(was.fence)
            lost.take_back(write, group, _STALLED)
        else:
            _take_back(write, was, _STALLED)


class Loss(NamedTuple):
    """A claim that its worker did not live to end.

    Attributes:
        state: Of the delivery from now on: "ready", or "dead".
    """

    delivery: int
    fence: int
    state: str


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

    Of a worker that has `crashed` a delivery that it ran alone is to blame. Of one that was
    killed because `overdue` was over its time the attempts at all others do not count.
    """
    held = []
    for *columns, crashes, most, error, since in _of_worker(write, worker):
        (was,) = standings(write, [tuple(columns)], "leased")
        held.append((was, stage(progress, was.fence), crashes, most, error, since))
    # What was claimed together has one fence: it is one call.
    running = len({was.fence for was, at, *_ in held if at == "running"})
    sizes = Counter(was.fence for was, *_ in held)
    late = {was.fence: was.id for was, *_ in held if was.id == overdue}
    losses, done, place = list[Loss](), list[int](), 0
    failed: dict[int, list[Standing]] = {}
    for was, at, crashes, most, error, since in held:
        said, fatal, due, grouped = why, False, None, sizes[was.fence] > 1
        called = late.get(was.fence, was.id)
        match consequence(called, crashed=crashed, overdue=overdue, claims=running, stage=at):
            case Consequence.DONE:
                _finish(write, was)
                done.append(was.id)
                continue
            case Consequence.UNBEGUN:
                _undo(write, was)
                losses.append(Loss(was.id, was.fence, "ready"))
                continue
            case Consequence.UNCOUNTED if grouped or not (
                was.attempt == 1 and was.is_exhausted(write.now_ms)
            ):
                _undo(write, was)
                losses.append(Loss(was.id, was.fence, "ready"))
                continue
            case _ if grouped:
                failed.setdefault(was.fence, []).append(was)
                continue
            case Consequence.CRASHED:
                write.must(_CRASH, was.seen)
                if fatal := crashes >= most and not was.is_exhausted(write.now_ms):
                    said = _blame(crashes, why, error)
            case Consequence.SUSPECTED:
                due = write.now_ms + one_by_one_ms(place, was.attempt) if place else None
                place += 1
            case Consequence.OVERDUE:
                due = write.now_ms + backoff_ms(was.attempt)  # what it waited for may be down
            case _:  # an only attempt that has begun is over, whoever ended it
                due = _apart(write, was, since)
        state = _take_back(write, was, said, fatal=fatal, due=due)
        losses.append(Loss(was.id, was.fence, state))
    for group in failed.values():
        lost.take_back(write, group, why)
        losses += [Loss(was.id, was.fence, "ready") for was in group]
    return losses, done


def disown(write: Write, worker: int, keep: Collection[int]) -> int:
    """Put among the ready what a worker holds without having been told; return how many."""
    unheard = [was for was in _held_by(write, worker) if was.fence not in keep]
    for was in unheard:
        _undo(write, was)
    return len(unheard)


def take_back(write: Write, worker: int, fences: Collection[int], done: Collection[int]) -> int:
    """Put among the ready these claims of a worker, which has not begun them; return how many.

    What it has done is acknowledged for it.
    """
    left = 0
    for was in _held_by(write, worker):
        if was.fence in fences:
            _undo(write, was)
            left += 1
        elif was.fence in done:
            _finish(write, was)
    return left


def _held_by(write: Write, worker: int) -> list[Standing]:
    rows = _of_worker(write, worker)
    return standings(write, [tuple(columns) for *columns, _, _, _, _ in rows], "leased")


def _of_worker(write: Write, worker: int) -> list[Row]:
    rows = write.run(_OF_WORKER, {"worker": worker, "now": write.now_ms})
    return sorted(rows, key=itemgetter(0))


def _finish(write: Write, was: Standing) -> None:
    write.must(_FINISH, {**was.seen, "now": write.now_ms})
    moved(write, was, "done")


def _take_back(
    write: Write, was: Standing, why: str, *, fatal: bool = False, due: int | None = None
) -> str:
    told = {**was.seen, "why": why, "now": write.now_ms}
    if fatal or was.is_exhausted(write.now_ms):
        write.must(_EXHAUST, {**told, "parked": int(was.parks)})
        moved(write, was, "dead")
        return "dead"
    alone = was.joins and was.lane_policy != "latest"
    aside = stands_aside(was.lane, "skip" if alone else was.lane_policy, due)
    write.must(_RETURN, {**told, "due": due, "behind": int(aside), "alone": int(alone)})
    moved(write, was, "ready", due=due is not None, stands_aside=aside)
    return "ready"


def _apart(write: Write, was: Standing, since: int) -> int | None:
    """Return when one may be tried again whose last attempt began at `since`; None for now."""
    due = since + apart_ms(was.attempt)
    return due if due > write.now_ms else None


def _undo(write: Write, was: Standing) -> None:
    write.must(_UNDO, {**was.seen, "now": write.now_ms})
    moved(write, was, "ready")


def _blame(crashes: int, why: str, error: str | None) -> str:
    before = "" if error is None else f"; before that: {error}"
    return error_text(f"given up after crash {crashes}: {why}{before}")
