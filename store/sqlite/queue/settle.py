"""Settling a claim: ack, retry, release, bury, renew; one fenced statement each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from ...engine import Hold
from ...errors import LeaseLost
from ...rules.lanes import stands_aside
from ..rows.counters import add
from ..session.session import Write
from .holding import HOLDING, HOLDING_OR_DEAD, holding, lost, require, settled_already
from .joins import back, latest, together
from .sets import end as end_set
from .sets.odd import OddSet
from .transitions import AS_SEEN, Standing, moved

_ACK = f"""
update fp_delivery
set state = 'done', parked = 0, result = :result, error = null, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDING_OR_DEAD}
"""

_RETRY = f"""
update fp_delivery
set state = 'ready', due_at_ms = :due, behind = max(behind, :behind), error = :error, token = null,
    settled_token = :token, lease_until_ms = null, changed_at_ms = :now,
    group_most = iif(:alone, 1, group_most), lane_policy = iif(:alone, 'skip', lane_policy)
where {HOLDING}
"""

_RELEASE = f"""
update fp_delivery
set state = 'ready', attempt = attempt - 1, due_at_ms = :due, behind = :behind, token = null,
    settled_token = :token, lease_until_ms = null, changed_at_ms = :now
where {HOLDING}
"""

_BURY = f"""
update fp_delivery
set state = 'dead', parked = :parked, error = :error,
    token = null, settled_token = :token, lease_until_ms = null, due_at_ms = null,
    changed_at_ms = :now
where {HOLDING}
"""

_GIVE_UP = f"""
update fp_delivery
set state = 'dead', parked = :parked, error = :error,
    token = null, settled_token = null, lease_until_ms = null, due_at_ms = null,
    changed_at_ms = :now
where {AS_SEEN}
"""

_RENEW = f"""
update fp_delivery
set state = 'leased', due_at_ms = null,
    lease_until_ms = max(coalesce(lease_until_ms, 0), :until)
where {HOLDING}
returning lease_until_ms
"""


def ack(write: Write, hold: Hold, result: str | None) -> None:
    """Mark a delivery done; a repeat by the same lease changes nothing more."""
    if hold.joined:
        _ack_group(write, hold, result)
    elif not end_set.ack_one(write, hold, result):
        ack_odd(write, hold, result)


def ack_odd(write: Write, hold: Hold, result: str | None) -> None:
    """Do the same where there may be more to it, such as other deliveries of its message."""
    if hold.latest:
        latest.ack(write, hold, result)
        return
    if hold.joined:
        if group := back.held(write, hold, "ack", "done"):
            together.done(write, hold, group, result)
            if hold.counts:
                add(write, [hold.counts])
        return
    was = holding(write, hold, done=True)
    if was is None:
        if not settled_already(write, hold, "done"):
            raise lost(write, hold, "ack")
        return
    write.must(_ACK, _bind(write, hold, result=result))
    moved(write, was, "done", steps=hold.steps)
    if hold.counts:
        add(write, [hold.counts])


def _ack_group(write: Write, hold: Hold, result: str | None) -> None:
    try:
        with write.savepoint():
            end_set.ack_each(write, [(hold, result)])
    except OddSet:
        ack_odd(write, hold, result)


def ack_each(write: Write, acks: Iterable[tuple[Hold, str | None]]) -> list[Hold]:
    """Mark deliveries done; return those that were refused, each with nothing changed."""
    refused = []
    for hold, result in acks:
        try:
            ack_odd(write, hold, result)
        except LeaseLost:
            refused.append(hold)
    return refused


def retry(
    write: Write, hold: Hold, delay_ms: int, error: str | None, *, alone: bool = False
) -> bool:
    """Give a delivery back for another attempt; False when that was its last and it is dead.

    One that is handed over with others, and has failed `alone`, goes alone from then on.
    """
    if hold.latest:
        if settled_already(write, hold, "dead"):
            return False
        if latest.retry(write, hold, delay_ms, error):
            return True
        bury(write, hold, error)
        return False
    if hold.joined:
        return back.halve(write, hold, delay_ms, error)
    was = holding(write, hold)
    if was is None:
        if settled_already(write, hold, "ready"):
            return True
        if settled_already(write, hold, "dead"):
            return False
        raise lost(write, hold, "retry")
    if was.is_exhausted(write.now_ms):
        _bury(write, hold, was, error)
        return False
    due = write.now_ms + delay_ms if delay_ms else None
    alone = alone or (bool(was.joins) and was.lane_policy != "latest")
    aside = stands_aside(was.lane, "skip" if alone else was.lane_policy, due)
    given = {"due": due, "behind": int(aside), "error": error, "alone": int(alone)}
    write.must(_RETRY, _bind(write, hold, **given))
    moved(write, was, "ready", due=due is not None, stands_aside=aside)
    return True


def release(write: Write, hold: Hold, delay_ms: int = 0) -> None:
    """Give a delivery back as if it had not been claimed: the attempt does not count."""
    if hold.joined:
        back.release(write, hold)
        return
    was = holding(write, hold)
    if was is None:
        if not settled_already(write, hold, "ready"):
            raise lost(write, hold, "release")
        return
    due = write.now_ms + delay_ms if delay_ms else None
    aside = stands_aside(was.lane, was.lane_policy, due)
    write.must(_RELEASE, _bind(write, hold, due=due, behind=int(aside)))
    moved(write, was, "ready", due=due is not None, stands_aside=aside)


def release_each(write: Write, holds: Iterable[Hold]) -> None:
    """Give back each delivery whose claim these leases still hold."""
    for hold in holds:
        with contextlib.suppress(LeaseLost):
            release(write, hold)


def postpone_each(write: Write, postponed: Iterable[tuple[Hold, int]]) -> None:
    """Give back each delivery whose claim these leases still hold, for so many ms from now on."""
    for hold, delay_ms in postponed:
        with contextlib.suppress(LeaseLost):
            release(write, hold, delay_ms)


def bury(write: Write, hold: Hold, error: str | None) -> None:
    """Make a delivery a dead letter."""
    if hold.latest:
        if (newest := latest.supersede(write, hold)) is not None:
            bury(write, newest, error)
        return
    if hold.joined:
        for each in back.held(write, hold, "bury", "dead"):
            bury(write, Hold(each.id, hold.fence, hold.token), error)
        return
    was = holding(write, hold)
    if was is None:
        if not settled_already(write, hold, "dead"):
            raise lost(write, hold, "bury")
        return
    _bury(write, hold, was, error)


def renew(write: Write, hold: Hold, lease_ms: int) -> int:
    """Return the new expiry: `lease_ms` from now, or the old one when that is later."""
    if hold.joined:
        return back.renew(write, hold, lease_ms)
    was = require(write, hold, "renew")
    (until,) = write.one(_RENEW, _bind(write, hold, until=write.now_ms + lease_ms))
    moved(write, was, "leased")
    return int(until)


def bury_damaged(write: Write, was: Standing, error: str) -> None:
    """Make a delivery that nobody has claimed a dead letter, because nobody can."""
    parked = {"parked": int(was.parks)}
    write.must(_GIVE_UP, {**was.seen, **parked, "error": error, "now": write.now_ms})
    moved(write, was, "dead")


def _bury(write: Write, hold: Hold, was: Standing, error: str | None) -> None:
    write.must(_BURY, _bind(write, hold, error=error, parked=int(was.parks)))
    moved(write, was, "dead")


def _bind(write: Write, hold: Hold, **others: object) -> dict[str, object]:
    proof = {"id": hold.id, "fence": hold.fence, "token": hold.token}
    return {**proof, "now": write.now_ms, **others}
