"""Ending a claim: one statement for each outcome, all under the one predicate."""

from __future__ import annotations

from ..engine import Hold
from .door import Write
from .lease import HOLDS, bind, lost, settled_already

_ACK = f"""
update fp_delivery
set state = 'done', result = :result, error = null, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDS}
returning queue, lane
"""  # noqa: S608 - HOLDS is a constant

_RETRY = f"""
update fp_delivery
set state = 'ready', due_at_ms = :due, error = :error, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDS} and attempt < max_attempts
returning queue, lane
"""  # noqa: S608 - HOLDS is a constant

_RELEASE = f"""
update fp_delivery
set state = 'ready', attempt = attempt - 1, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDS}
returning queue, lane
"""  # noqa: S608 - HOLDS is a constant

_BURY = f"""
update fp_delivery
set state = 'dead', error = :error, token = null, settled_token = :token,
    lease_until_ms = null, due_at_ms = null, changed_at_ms = :now
where {HOLDS}
returning queue, lane
"""  # noqa: S608 - HOLDS is a constant

_RENEW = f"""
update fp_delivery
set state = 'leased', lease_until_ms = max(coalesce(lease_until_ms, 0), :until)
where {HOLDS}
returning lease_until_ms
"""  # noqa: S608 - HOLDS is a constant

_ADVANCE_LANE = """
update fp_delivery
set held = 0
where id = (
  select id
  from fp_delivery
  where queue = :queue and lane = :lane and state in ('ready', 'leased')
  order by id
  limit 1
) and not exists (
  select 1
  from fp_delivery
  where queue = :queue and lane = :lane and lane is not null and held = 0
    and state in ('ready', 'leased')
)
"""


def ack(write: Write, hold: Hold, result: str | None) -> None:
    """Mark a delivery done; a repeat by the same lease changes nothing more."""
    rows = write.run(_ACK, bind(hold, result=result, now=write.now_ms))
    if rows:
        advance_lane(write, *rows[0])
    elif not settled_already(write, hold, "done"):
        raise lost(write, hold, "ack")


def retry(write: Write, hold: Hold, delay_ms: int, error: str | None) -> bool:
    """Give a delivery back for another attempt; False when that was its last and it is dead."""
    due = write.now_ms + delay_ms if delay_ms else None
    if write.run(_RETRY, bind(hold, due=due, error=error, now=write.now_ms)):
        return True
    if settled_already(write, hold, "ready"):
        return True
    if settled_already(write, hold, "dead"):
        return False
    _end(write, hold, error, "retry")
    return False


def release(write: Write, hold: Hold) -> None:
    """Give a delivery back as if it had not been claimed: the attempt does not count."""
    if not write.run(_RELEASE, bind(hold, now=write.now_ms)) and not settled_already(
        write, hold, "ready"
    ):
        raise lost(write, hold, "release")


def bury(write: Write, hold: Hold, error: str) -> None:
    """Make a delivery a dead letter."""
    if not settled_already(write, hold, "dead"):
        _end(write, hold, error, "bury")


def renew(write: Write, hold: Hold, lease_ms: int) -> int:
    """Return the new expiry: `lease_ms` from now, or the old one when that is later."""
    rows = write.run(_RENEW, bind(hold, until=write.now_ms + lease_ms))
    if not rows:
        raise lost(write, hold, "renew")
    until: int = rows[0][0]
    return until


def advance_lane(write: Write, queue: object, lane: object) -> None:
    """Let the next of a lane be claimed, when the one before it has ended."""
    if lane is not None:
        write.run(_ADVANCE_LANE, {"queue": queue, "lane": lane})


def _end(write: Write, hold: Hold, error: str | None, operation: str) -> None:
    rows = write.run(_BURY, bind(hold, error=error, now=write.now_ms))
    if not rows:
        raise lost(write, hold, operation)
    advance_lane(write, *rows[0])
