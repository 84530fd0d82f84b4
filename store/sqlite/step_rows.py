"""Where the records of a delivery's steps lie, and their end."""

from __future__ import annotations

from .session.session import Write

# The records of a delivery lie together, in their order, and need no second index.
PLACES = 1 << 16

OF_ITS_STEPS = f"id between :delivery * {PLACES} and :delivery * {PLACES} + {PLACES - 1}"

_FORGET = f"delete from fp_step where {OF_ITS_STEPS}"

_FORGET_WAITS = "delete from fp_wait where delivery_id = :delivery"


def forget(write: Write, delivery: int) -> None:
    """Delete what is recorded of a delivery, and what it waits for."""
    write.run(_FORGET, {"delivery": delivery})
    write.run(_FORGET_WAITS, {"delivery": delivery})
