"""The one predicate that says whether a claim still holds, and what a stale one is told.

A claim holds while nobody has claimed its delivery since and nobody has settled it:
also past its expiry, when it went back among the ready, because then no other worker
has begun. The fence alone would do but for a COMMIT lost with the power, after which
it may be given out again; the random token cannot be.
"""

from __future__ import annotations

from ..engine import Hold
from ..errors import LeaseLost
from .door import Write

HOLDS = "id = :id and fence = :fence and token = :token and state in ('leased', 'ready')"

_REQUIRE = f"select 1 from fp_delivery where {HOLDS}"  # noqa: S608 - HOLDS is a constant

_LOOK = "select fence, state, settled_token from fp_delivery where id = :id"


def bind(hold: Hold, **others: object) -> dict[str, object]:
    """Return the parameters of HOLDS, with those of the statement around it."""
    return {"id": hold.id, "fence": hold.fence, "token": hold.token, **others}


def require(write: Write, hold: Hold, operation: str) -> None:
    """Raise LeaseLost unless the claim holds."""
    if not write.run(_REQUIRE, bind(hold)):
        raise lost(write, hold, operation)


def settled_already(write: Write, hold: Hold, state: str) -> bool:
    """True when this very lease brought the delivery to `state`: the call is a repeat."""
    rows = write.run(_LOOK, {"id": hold.id})
    return bool(rows) and rows[0] == (hold.fence, state, hold.token)


def lost(write: Write, hold: Hold, operation: str) -> LeaseLost:
    """Return the error for a claim that does not hold, with its cause."""
    rows = write.run(_LOOK, {"id": hold.id})
    if not rows:
        cause = "missing"
    elif rows[0][0] != hold.fence:
        cause = "superseded"
    elif rows[0][2] == hold.token:
        cause = "settled"
    else:
        cause = "revoked"
    return LeaseLost(f"delivery {hold.id}", cause=cause, operation=operation, path=write.path)
