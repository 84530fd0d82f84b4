"""Where the records of a delivery's steps lie, and their end."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Literal

import apsw

from ..session.session import Write

# The records of a delivery lie together, in their order, and need no second index.
PLACES = 1 << 16

OF_ITS_STEPS = f"id between :delivery * {PLACES} and :delivery * {PLACES} + {PLACES - 1}"

_FORGET = f"delete from fp_step where {OF_ITS_STEPS}"

_FORGET_WAITS = "delete from fp_wait where delivery_id = :delivery"


def forget(write: Write, delivery: int) -> None:
    """Delete what is recorded of a delivery, and what it waits for."""
    write.run(_FORGET, {"delivery": delivery})
    write.run(_FORGET_WAITS, {"delivery": delivery})


# Of each a range of ids is looked at.
_FORGET_EACH = f"""
delete from fp_step
where id in (
  select fp_step.id
  from carray(:deliveries) as ended
  cross join fp_step on fp_step.id between value * {PLACES} and value * {PLACES} + {PLACES - 1}
)
"""

_FORGET_WAITS_EACH = "delete from fp_wait where delivery_id in carray(:deliveries)"


def forget_each(write: Write, deliveries: Sequence[int]) -> None:
    """Do the same for several, at least one."""
    write.run(_FORGET_EACH, {"deliveries": apsw.carray(array("q", deliveries))})
    write.run(_FORGET_WAITS_EACH, {"deliveries": apsw.carray(array("q", deliveries))})


_FIRST = f"select min(id), min(recorded_at_ms) from fp_step where {OF_ITS_STEPS} and name = :name"

# A wait ends when it is answered, or at its deadline.
_WAITED = """
select min(coalesce(answered_at_ms, deadline_ms))
from fp_wait
where delivery_id = :delivery and name = :name
"""

_FORGET_FROM = f"""
delete from fp_step
where {OF_ITS_STEPS} and coalesce(id >= :first, recorded_at_ms >= :since)
"""

_FORGET_WAITS_FROM = """
delete from fp_wait
where delivery_id = :delivery and coalesce(answered_at_ms, deadline_ms) >= :since
"""

_GENERATION = "update fp_delivery set generation = generation + 1 where id = :delivery"


def forget_from(write: Write, delivery: int, start: Literal[True] | str) -> bool:
    """Delete what is recorded of a step and after it, or all; False when there is no such step."""
    of = {"delivery": delivery}
    if start is True:
        forget(write, delivery)
    else:
        ((first, since),) = write.run(_FIRST, {**of, "name": start})
        if since is None:
            ((since,),) = write.run(_WAITED, {**of, "name": start})
        if since is None:
            return False
        write.run(_FORGET_FROM, {**of, "first": first, "since": since})
        write.run(_FORGET_WAITS_FROM, {**of, "since": since})
    write.must(_GENERATION, of)
    return True
