"""Of a group only the newest was handed over: the others end with it, superseded.

A hold on such a group has the newest as its id, and the others, oldest first, as joined.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....engine.queue.claims import Hold
from ...rows.counters import add
from ...session.session import Write
from ..holding import settled_already
from ..transitions import Standing
from . import back, together

# The oldest keeps the lane waiting. The attempt is the newest's.
_RETRY = f"""
update fp_delivery
set state = 'ready', attempt = attempt - (id <> :newest), due_at_ms = iif(id = :head, :due, null),
    error = iif(id = :newest, :error, error), token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {back.HOLDING}
"""

_TAKE_BACK = """
update fp_delivery
set state = 'ready', attempt = attempt - (id <> :newest), due_at_ms = iif(id = :head, :due, null),
    error = iif(id = :newest, :error, error), lease_until_ms = null, changed_at_ms = :now
where id in carray(:ids) and fence = :fence and state = 'leased'
"""


def ack(write: Write, hold: Hold, result: str | None) -> None:
    """Mark the newest done; a repeat by the same lease changes nothing more.

    Raises:
        LeaseLost: One of them is not held; nothing was changed.
    """
    if settled_already(write, hold, "done"):
        return
    *older, last = back.held(write, hold, "ack")
    together.cancelled(write, hold, older, _superseded(hold))
    together.done(write, hold, [last], result)
    if hold.counts:
        add(write, [hold.counts])


def supersede(write: Write, hold: Hold) -> Hold | None:
    """End all but the newest, which is to be buried; None when this lease has done so before.

    Raises:
        LeaseLost: One of them is not held; nothing was changed.
    """
    if settled_already(write, hold, "dead"):
        return None
    *older, _ = back.held(write, hold, "bury")
    together.cancelled(write, hold, older, _superseded(hold))
    return Hold(hold.id, hold.fence, hold.token)


def retry(write: Write, hold: Hold, delay_ms: int, error: str | None) -> bool:
    """Give all of them back; False when the newest may not be tried again, and is to be buried."""
    if not (found := back.held(write, hold, "retry", "ready")):
        return True
    if found[-1].is_exhausted(write.now_ms):
        return False
    due = write.now_ms + delay_ms if delay_ms else None
    given = {"newest": hold.id, "head": hold.joined[0], "due": due, "error": error}
    given |= {**back.prove(hold), "now": write.now_ms}
    back.give_back(write, found, _RETRY, given, waits=due is not None)
    return True


def take_back(write: Write, found: Sequence[Standing], error: str, due: int) -> None:
    """Give back what a dead or stalled worker had, oldest first."""
    given = {"newest": found[-1].id, "head": found[0].id, "due": due, "error": error}
    given |= {"ids": back.array_of([was.id for was in found]), "fence": found[0].fence}
    back.give_back(write, found, _TAKE_BACK, {**given, "now": write.now_ms}, waits=True)


def _superseded(hold: Hold) -> str:
    return f"superseded by d{hold.id}"
