"""What an operator changes by hand."""

from __future__ import annotations

from .door import Write
from .settle import advance_lane

_REPLAY = """
update fp_delivery
set state = 'ready', attempt = 0, due_at_ms = null, token = null, settled_token = null,
    changed_at_ms = :now,
    held = lane is not null and exists (
      select 1
      from fp_delivery as other
      where other.queue = fp_delivery.queue and other.lane = fp_delivery.lane
        and other.state in ('ready', 'leased')
    )
where id = :id and state in ('dead', 'cancelled')
returning 1
"""

_CANCEL = """
update fp_delivery
set state = 'cancelled', due_at_ms = null, token = null, settled_token = null,
    changed_at_ms = :now
where id = :id and state = 'ready'
returning queue, lane
"""


def replay(write: Write, id: int) -> bool:
    """Make a dead or cancelled delivery ready again, its attempts counted anew."""
    return bool(write.run(_REPLAY, {"id": id, "now": write.now_ms}))


def cancel(write: Write, id: int) -> bool:
    """End a delivery that nobody holds; False when it is leased or at its end already."""
    rows = write.run(_CANCEL, {"id": id, "now": write.now_ms})
    if rows:
        advance_lane(write, *rows[0])
    return bool(rows)
