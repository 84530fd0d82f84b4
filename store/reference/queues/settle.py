"""Ending a claim, which holds while nobody has claimed the delivery since nor settled it:
also past its expiry, because then nobody else has begun."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from msgspec import structs

from ...engine import Hold
from ...engine.ports.clock import Term
from ...errors import LeaseLost
from ...types.durable.counts import added
from ..memory import Write
from ..rows import LIVE, DeliveryRow
from . import changes
from .joins import latest
from .joins.halving import halve


def require(write: Write, hold: Hold, operation: str, *, done: bool = False) -> DeliveryRow:
    """Return the delivery of a claim that holds.

    Args:
        done: The work is done, which is good news also of one that was given up because its
            last lease had expired.
    """
    row = write.tables.deliveries.get(hold.id)
    if row is None:
        cause = "missing"
    elif (row.fence, row.token) == (hold.fence, hold.token) and (
        row.state in LIVE or (done and row.state == "dead")
    ):
        return row
    elif row.fence != hold.fence:
        cause = "superseded"
    elif row.settled == hold.token:
        cause = "settled"
    else:
        cause = "revoked"
    raise write.lost(hold.what, cause, operation)


def ack(write: Write, hold: Hold, result: str | None) -> None:
    """Mark a delivery done; a repeat by the same lease changes nothing."""
    if hold.latest:
        if _supersede(write, hold, "ack", "done", done=True):
            ack(write, _newest(hold), result)
        return
    if hold.joined:
        each = parts(write, hold, "ack", "done", done=True)
        for one in each:
            ack(write, one, result)
        if each:
            count(write, hold.counts or {})
        return
    if not _settled(write, hold, "done"):
        row = require(write, hold, "ack", done=True)
        changes.change(
            write,
            row,
            state="done",
            parked=False,
            result=result,
            error=None,
            token=None,
            settled=hold.token,
            until_ms=None,
            due_ms=None,
            changed_ms=write.now,
        )
        count(write, hold.counts or {})


def count(write: Write, counts: Mapping[str, int]) -> None:
    """Add to counters."""
    write.tables.counters = added([write.tables.counters, counts])


def ack_each(write: Write, acks: Iterable[tuple[Hold, str | None]]) -> list[Hold]:
    """Mark deliveries done; return those that were refused."""
    refused = []
    for hold, result in acks:
        try:
            ack(write, hold, result)
        except LeaseLost:
            refused.append(hold)
    return refused


def parts(
    write: Write, hold: Hold, operation: str, state: str = "", *, done: bool = False
) -> list[Hold]:
    """Return a hold on each of a group that is held; none when it has come to `state` by this."""
    each = [Hold(id, hold.fence, hold.token) for id in (hold.id, *hold.joined)]
    if all(_settled(write, one, state) for one in each):
        return []
    for one in each:
        try:
            require(write, one, operation, done=done)
        except LeaseLost as error:
            raise write.lost(hold.what, error.cause, operation) from None
    _resume(write, [write.tables.deliveries[one.id] for one in each])
    return each


def _resume(write: Write, rows: Iterable[DeliveryRow]) -> None:
    """Lease again what was taken back of a group, as it was before."""
    rows = sorted(rows, key=lambda row: row.id)
    newest = rows[-1].id if rows[-1].address.lane_policy == "latest" else None
    for row in rows:
        if row.state == "ready":
            write.tables.deliveries[row.id] = row._replace(
                state="leased",
                attempt=row.attempt + (row.id != newest),
                due_ms=None,
                until_ms=write.now,
            )


def retry(
    write: Write, hold: Hold, delay_ms: int, error: str | None, *, alone: bool = False
) -> bool:
    """Give a delivery back for another attempt; False when that was its last."""
    if hold.latest:
        return _retry_newest(write, hold, delay_ms, error)
    if hold.joined:
        rows = [require(write, one, "retry") for one in parts(write, hold, "retry", "ready")]
        due = write.now + delay_ms if delay_ms else None
        halve(write, rows, due_ms=due, token=None, settled=hold.token, error=error)
        return True
    if _settled(write, hold, "ready"):
        return True
    if _settled(write, hold, "dead"):
        return False
    row = require(write, hold, "retry")
    settled = {"token": None, "settled": hold.token, "error": error}
    if is_exhausted(row, write.now):
        changes.bury(write, row, **settled)
        return False
    due = write.now + delay_ms if delay_ms else None
    changes.give_back(write, goes_alone(row, alone=alone), due_ms=due, **settled)
    return True


def release(write: Write, hold: Hold, delay_ms: int = 0) -> None:
    """Give a delivery back as if it had not been claimed."""
    if hold.joined:
        for each in parts(write, hold, "release", "ready"):
            release(write, each)
        return
    if not _settled(write, hold, "ready"):
        row = require(write, hold, "release")
        due = write.now + delay_ms if delay_ms else None
        uncounted = {"attempt": row.attempt - 1, "due_ms": due}
        changes.give_back(write, row, token=None, settled=hold.token, **uncounted)


def release_each(write: Write, holds: Iterable[Hold]) -> None:
    """Give back the deliveries that these claims still hold."""
    for hold in holds:
        with contextlib.suppress(LeaseLost):
            release(write, hold)


def postpone_each(write: Write, postponed: Iterable[tuple[Hold, int]]) -> None:
    """Give back the deliveries that these claims still hold, for so many ms from now on."""
    for hold, delay_ms in postponed:
        with contextlib.suppress(LeaseLost):
            release(write, hold, delay_ms)


def bury(write: Write, hold: Hold, error: str | None) -> None:
    """Make a delivery a dead letter."""
    if hold.latest:
        if _supersede(write, hold, "bury", "dead"):
            bury(write, _newest(hold), error)
        return
    if hold.joined:
        for each in parts(write, hold, "bury", "dead"):
            bury(write, each, error)
        return
    if not _settled(write, hold, "dead"):
        row = require(write, hold, "bury")
        changes.bury(write, row, error, token=None, settled=hold.token)


def renew(write: Write, hold: Hold, lease_ms: int) -> Term:
    """Let the lease end no sooner than `lease_ms` from now."""
    if hold.joined:
        *_, term = [renew(write, each, lease_ms) for each in parts(write, hold, "renew")]
        return term
    row = require(write, hold, "renew")
    until = max(row.until_ms or 0, write.now + lease_ms)
    changes.change(write, row, state="leased", due_ms=None, until_ms=until)
    return Term(until, until - write.now)


def _newest(hold: Hold) -> Hold:
    return structs.replace(hold, joined=(), latest=False)


def _supersede(write: Write, hold: Hold, operation: str, state: str, *, done: bool = False) -> bool:
    """End all but the newest; False when this lease has brought that to `state` already."""
    if _settled(write, hold, state):
        return False
    each = parts(write, hold, operation, done=done)
    rows = [write.tables.deliveries[one.id] for one in each]
    latest.supersede(write, rows, hold.id, hold.token)
    return True


def _retry_newest(write: Write, hold: Hold, delay_ms: int, error: str | None) -> bool:
    if _settled(write, hold, "dead"):
        return False
    each = parts(write, hold, "retry", "ready")
    rows = sorted([write.tables.deliveries[one.id] for one in each], key=lambda row: row.id)
    if rows and is_exhausted(rows[-1], write.now):
        bury(write, hold, error)
        return False
    due = write.now + delay_ms if delay_ms else None
    latest.give_back(write, rows, due_ms=due, error=error, token=None, settled=hold.token)
    return True


def goes_alone(row: DeliveryRow, *, alone: bool = False) -> DeliveryRow:
    """Return a delivery that failed by itself as it is from then on.

    One that is handed over with others of its lane is so no more, and they go before it while
    it waits.
    """
    joins = row.joins and row.address.lane_policy != "latest"
    if row.in_lane is None or not (alone or joins):
        return row
    address = structs.replace(row.address, lane_policy="skip")
    return row._replace(address=address, group_most=1)


def is_exhausted(row: DeliveryRow, now: int) -> bool:
    """True when a failure makes it dead: so many attempts, or tried for so long.

    A lease that ended with the machine is no failure, and the time that it was off is none in
    which the delivery was tried.
    """
    most = row.limits.max_attempts
    if most is not None and row.attempt >= most:
        return True
    return now >= row.tried_since_ms + row.limits.retry_for_ms and row.until_ms != 0


def _settled(write: Write, hold: Hold, state: str) -> bool:
    """True when this very lease brought the delivery to this state: the call is a repeat."""
    row = write.tables.deliveries.get(hold.id)
    return row is not None and (row.fence, row.settled, row.state) == (
        hold.fence,
        hold.token,
        state,
    )
