"""Taking back what its holder no longer works on, in bounded steps."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..validate import error_text
from . import lanes
from .delivery import COLUMNS, Standing, moved
from .door import Write

# The most rows that one claim takes back for everybody; the rest is the next claim's.
_BATCH = 100

_EXPIRED = f"""
select {COLUMNS}
from fp_delivery
where state = 'leased' and lease_until_ms <= :now
limit :batch
"""  # noqa: S608 - COLUMNS is a constant

_OWNED = f"""
select {COLUMNS}, fence, crashes + 1, max_crashes, error
from fp_delivery
where state = 'leased' and owner = :owner
order by id
"""  # noqa: S608 - COLUMNS is a constant

_CRASH = "update fp_delivery set crashes = :crashes where id = :id"

# The token stays, here and below: the late ack of a holder that only stalled is still good
# until somebody else has claimed the delivery.
_RETURN = """
update fp_delivery
set state = 'ready', lease_until_ms = null, due_at_ms = null, error = :why, changed_at_ms = :now
where id = :id
"""

# The claim that nobody has heard of was no attempt.
_UNDO = """
update fp_delivery
set state = 'ready', attempt = attempt - 1, token = null, lease_until_ms = null,
    changed_at_ms = :now
where id = :id
"""

_EXHAUST = """
update fp_delivery
set state = 'dead', parked = lane is not null and lane_policy = 'park', lease_until_ms = null,
    due_at_ms = null, error = :why, changed_at_ms = :now
where id = :id
"""

_DUE = """
select id
from fp_delivery
where state = 'ready' and due_at_ms <= :now
order by due_at_ms
limit :batch
"""

_PROMOTE = """
update fp_delivery
set changed_at_ms = due_at_ms, due_at_ms = null
where id = :id
returning queue, lane, held
"""


def reap_expired(write: Write) -> None:
    """Put deliveries whose lease has ended among the ready, or the dead."""
    for row in write.run(_EXPIRED, {"now": write.now_ms, "batch": _BATCH}):
        _take_back(write, Standing(*row), "the lease expired: its worker stalled or died")


class Loss(NamedTuple):
    """A claim that its worker did not live to end.

    Attributes:
        state: Of the delivery from now on: "ready", or "dead".
    """

    delivery: int
    fence: int
    state: str


def reap_owner(write: Write, owner: int, why: str, *, crashed: bool) -> list[Loss]:
    """Put all that a dead worker held among the ready, or the dead.

    Of a worker that has `crashed` a delivery that was alone with it is to blame.
    """
    rows = write.run(_OWNED, {"owner": owner, "now": write.now_ms})
    losses = []
    for *columns, fence, crashes, most, error in rows:
        was, fatal = Standing(*columns), False
        if crashed and len(rows) == 1:
            write.run(_CRASH, {"id": was.id, "crashes": crashes})
            fatal = crashes >= most and not was.exhausted
        said = _blame(crashes, why, error) if fatal else why
        losses.append(Loss(was.id, fence, _take_back(write, was, said, fatal=fatal)))
    return losses


def disown(write: Write, owner: int, keep: Collection[int]) -> int:
    """Put among the ready what a worker holds without having been told; return how many."""
    left = 0
    for *columns, fence, _, _, _ in write.run(_OWNED, {"owner": owner, "now": write.now_ms}):
        if fence not in keep:
            was = Standing(*columns)
            write.run(_UNDO, {"id": was.id, "now": write.now_ms})
            moved(write, was, "ready")
            left += 1
    return left


def promote_due(write: Write) -> None:
    """Let deliveries be claimed whose time has come, in the place their age gives them."""
    for (id,) in write.run(_DUE, {"now": write.now_ms, "batch": _BATCH}):
        for queue, lane, held in write.run(_PROMOTE, {"id": id}):
            if held:
                lanes.advance(write, queue, lane)


def _take_back(write: Write, was: Standing, why: str, *, fatal: bool = False) -> str:
    state, statement = ("dead", _EXHAUST) if was.exhausted or fatal else ("ready", _RETURN)
    write.run(statement, {"id": was.id, "why": why, "now": write.now_ms})
    moved(write, was, state)
    return state


def _blame(crashes: int, why: str, error: str | None) -> str:
    before = "" if error is None else f"; before that: {error}"
    return error_text(f"given up after crash {crashes}: {why}{before}")
