"""Giving a group back, or keeping it: all of what was handed over, or nothing."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import apsw

from ....engine.queue.claims import Hold
from ....rules.durable.joins import half
from ...session.session import Write
from .. import counters
from ..holding import lost
from ..transitions import COLUMNS, Standing, standings

_PROOF = "id in carray(:ids) and fence = :fence and token = :token"
HOLDING = f"{_PROOF} and state = 'leased'"

_STANDING = f"select {COLUMNS} from fp_delivery where {_PROOF} and state in ('leased', 'ready')"

_HELD = f"select count(*) from fp_delivery where {_PROOF} and state in ('leased', 'ready', 'dead')"

_RELEASE = f"""
update fp_delivery
set state = 'ready', attempt = attempt - 1, due_at_ms = null, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDING}
"""

# The head keeps the others waiting.
_HALVE = f"""
update fp_delivery
set state = 'ready', attempt = attempt - 1, group_most = :most,
    due_at_ms = iif(id = :head, :due, null), error = :error, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDING}
"""

# The token stays: the late ack of a holder that only stalled is still good until somebody else
# has claimed one of them.
_TAKE_BACK = """
update fp_delivery
set state = 'ready', attempt = attempt - 1, group_most = :most,
    due_at_ms = iif(id = :head, :due, null), error = :error, lease_until_ms = null,
    changed_at_ms = :now
where id in carray(:ids) and fence = :fence and state = 'leased'
"""

_RENEW = f"""
update fp_delivery
set lease_until_ms = max(lease_until_ms, :until)
where {HOLDING}
"""

_UNTIL = "select lease_until_ms from fp_delivery where id = :id"

# As it was before it was taken back: what takes it back counts no attempt but that of the newest
# where only that was handed over.
_RESUME = f"""
update fp_delivery
set state = 'leased', attempt = attempt + iif(id is :newest, 0, 1), due_at_ms = null,
    lease_until_ms = :now
where {_PROOF} and state = 'ready'
"""

_SETTLED = """
select count(*)
from fp_delivery
where id in carray(:ids) and fence = :fence and settled_token = :token
  and state in (select value from json_each(:states))
"""


def require_to_end(write: Write, hold: Hold, operation: str) -> None:
    """Raise LeaseLost if not all of a group are held for work that is going to be done."""
    ((held,),) = write.run(_HELD, prove(hold))
    if held != 1 + len(hold.joined):
        raise lost(write, hold, operation)


def release(write: Write, hold: Hold) -> None:
    """Give a group back as if it had not been claimed."""
    if found := held(write, hold, "release", "ready"):
        give_back(write, found, _RELEASE, {**prove(hold), "now": write.now_ms})


def halve(write: Write, hold: Hold, delay_ms: int, error: str | None) -> bool:
    """Give a group back that failed: no attempt counts, and each goes with half as many."""
    if found := held(write, hold, "retry", "ready"):
        due = write.now_ms + delay_ms if delay_ms else None
        given = {"most": half(len(found)), "head": hold.id, "due": due, "error": error}
        give_back(
            write, found, _HALVE, {**prove(hold), **given, "now": write.now_ms}, waits=bool(due)
        )
    return True


def take_back(write: Write, found: Sequence[Standing], error: str, due: int | None) -> None:
    """Do the same to a group whose worker has died or stalled, given oldest first."""
    given = {
        "ids": array_of([was.id for was in found]),
        "fence": found[0].fence,
        "most": half(len(found)),
        "head": found[0].id,
        "due": due,
        "error": error,
        "now": write.now_ms,
    }
    give_back(write, found, _TAKE_BACK, given, waits=due is not None)


def renew(write: Write, hold: Hold, lease_ms: int) -> int:
    """Return the new expiry of a group: `lease_ms` from now, or the old one when that is later."""
    found = held(write, hold, "renew")
    until = {"until": write.now_ms + lease_ms}
    write.must(_RENEW, {**prove(hold), **until}, change=len(found))
    return int(write.one(_UNTIL, {"id": hold.id})[0])


def held(write: Write, hold: Hold, operation: str, *settled: str) -> list[Standing]:
    """Return a group as it is leased; nothing when this lease has brought it to these states.

    One that was taken back, and that nobody has claimed since, is its holder's again.

    Raises:
        LeaseLost: One of them is not held.
    """
    found = _standing(write, hold)
    if len(found) != 1 + len(hold.joined):
        states = {"states": json.dumps(settled)}
        ((already,),) = write.run(_SETTLED, {**prove(hold), **states})
        if not settled or already != 1 + len(hold.joined):
            raise lost(write, hold, operation)
        return []
    if late := sum(was.state == "ready" for was in found):
        newest = found[-1].id if found[-1].lane_policy == "latest" else None
        again = {**prove(hold), "newest": newest, "now": write.now_ms}
        write.must(_RESUME, again, change=late)
        _count(write, found, "ready", "leased", 0)
        found = _standing(write, hold)
    return found


def _standing(write: Write, hold: Hold) -> list[Standing]:
    rows = standings(write, write.run(_STANDING, {**prove(hold), "now": write.now_ms}))
    return sorted(rows, key=attrgetter("id"))


def give_back(
    write: Write, found: Sequence[Standing], sql: str, given: dict[str, Any], *, waits: bool = False
) -> None:
    """Run a statement that gives back a group; it `waits` when its head has a due."""
    write.must(sql, given, change=len(found))
    _count(write, found, "leased", "ready", int(waits))
    write.wakes = True


def _count(write: Write, found: Sequence[Standing], old: str, new: str, waiting: int) -> None:
    queue = found[0].queue
    if moving := sum(was.state == old for was in found):
        counters.moved(write, queue, old, new, 0, moving)
    if more := waiting - sum(was.scheduled for was in found):
        counters.scheduled(write, queue, more)


def prove(hold: Hold) -> dict[str, Any]:
    """Return what proves that a group is held."""
    return {"ids": array_of([hold.id, *hold.joined]), "fence": hold.fence, "token": hold.token}


def array_of(ids: Sequence[int]) -> Any:
    """Return numbers as one binding, for `in carray(?)`."""
    return apsw.carray(array("q", ids))
