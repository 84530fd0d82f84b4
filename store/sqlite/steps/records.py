"""The records of steps, fenced when they are written."""

from __future__ import annotations

from ...engine import Hold
from ...errors import LeaseLost
from ...types.durable.step import StepRecord
from ...types.transaction import Row
from ..queue.holding import HOLDING_OR_DEAD, lost
from ..rows.steps import OF_ITS_STEPS, PLACES
from ..session.session import Write

OF_DELIVERY = f"""
select
  id % {PLACES}, name, occurrence, kind, arguments_sha256, arguments, outcome, fence, code,
  recorded_at_ms
from fp_step
where {OF_ITS_STEPS}
order by id
"""

# The claim is proven by the statement itself.
_RECORD = f"""
insert into fp_step (
  id, name, occurrence, kind, arguments_sha256, arguments, outcome, fence, code, recorded_at_ms
)
select
  id * {PLACES} + :number, :name, :occurrence, :kind, :sha256, :arguments, :outcome, fence, :code,
  :now
from fp_delivery
where {HOLDING_OR_DEAD}
on conflict do nothing
"""

_SAME = f"""
select 1
from fp_step
where id = :id * {PLACES} + :number and name = :name and occurrence = :occurrence and kind = :kind
  and outcome is :outcome and fence = :fence
"""


# Others of its kind need not wake the delivery any more.
_TAKEN = """
update fp_wait
set answered_at_ms = :now
where delivery_id = :id and name = :name and occurrence = :occurrence
"""


def record(write: Write, hold: Hold, step: StepRecord) -> LeaseLost | None:
    """Add a record, or return why the claim may not; one that is there already is good."""
    row = {
        "id": hold.id,
        "fence": hold.fence,
        "token": hold.token,
        "number": step.number,
        "name": step.name,
        "occurrence": step.occurrence,
        "kind": step.kind,
        "sha256": step.arguments_sha256,
        "arguments": step.arguments,
        "outcome": step.outcome,
        "code": step.code,
        "now": write.now_ms,
    }
    if write.change(_RECORD, row) or write.run(_SAME, row):
        if step.kind == "event":
            write.run(_TAKEN, row)
        return None
    return lost(write, hold, "step")


def as_record(row: Row) -> StepRecord:
    """Return a row of OF_DELIVERY as a record."""
    return StepRecord(*row)
