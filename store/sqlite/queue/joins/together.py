"""Several of a group that end in the same way: as many statements for five hundred as for two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....engine.queue.claims import Hold
from ...rows.steps import forget_each
from ...rows.told import tell
from ...session.session import Write
from .. import counters, lanes
from ..transitions import Standing, end_messages
from .back import HOLDING, array_of

_DONE = f"""
update fp_delivery
set state = 'done', parked = 0, result = :result, error = null, token = null,
    settled_token = :token, lease_until_ms = null, changed_at_ms = :now
where {HOLDING}
"""

_CANCELLED = f"""
update fp_delivery
set state = 'cancelled', parked = 0, error = :error, token = null, settled_token = :token,
    lease_until_ms = null, changed_at_ms = :now
where {HOLDING}
"""


def done(write: Write, hold: Hold, found: Sequence[Standing], result: str | None) -> None:
    """Mark some of a group done, which are leased."""
    _end(write, hold, found, "done", _DONE, result=result)


def cancelled(write: Write, hold: Hold, found: Sequence[Standing], error: str) -> None:
    """Cancel some of a group, which are leased."""
    _end(write, hold, found, "cancelled", _CANCELLED, error=error)


def _end(
    write: Write, hold: Hold, found: Sequence[Standing], state: str, sql: str, **given: Any
) -> None:
    if not found:
        return
    deliveries, messages = [was.id for was in found], [was.message_id for was in found]
    proof = {"ids": array_of(deliveries), "fence": hold.fence, "token": hold.token}
    write.must(sql, {**proof, **given, "now": write.now_ms}, change=len(found))
    queue, bytes = found[0].queue, sum(was.bytes for was in found)
    counters.moved(write, queue, "leased", state, bytes, len(found))
    end_messages(write, messages)
    tell(write, messages)
    forget_each(write, deliveries)
    if (lane := found[0].lane) is not None:
        lanes.advance(write, queue, lane)
