"""Whether a claim is valid: the condition, and the error when it is not.

Every statement that ends or renews a claim has this condition in its own WHERE, and its
caller checks that it changed one row: it is right whatever happened since the row was read.

A claim holds while nobody has claimed its delivery since and nobody has settled it:
also past its expiry, when it went back among the ready, because then no other worker
has begun. The fence alone would do but for a COMMIT lost with the power, after which
it may be given out again; the random token cannot be.
"""

from __future__ import annotations

from ...engine import Hold
from ...errors import LeaseLost
from ...rules import lease_loss as rules
from ..session.session import Write
from .transitions import COLUMNS, Standing, standings

_PROOF = "id = :id and fence = :fence and token = :token"

HOLDING = f"{_PROOF} and state in ('leased', 'ready')"

# A dead letter has a token when the expiry of its last attempt made it one.
HOLDING_OR_DEAD = f"{_PROOF} and (state = 'leased' or state = 'ready' or state = 'dead')"

_HOLDING = f"""
select {COLUMNS}
from fp_delivery
where {HOLDING}
"""

_HOLDING_OR_DEAD = f"""
select {COLUMNS}
from fp_delivery
where {HOLDING_OR_DEAD}
"""

_HOLDS_OR_DEAD = f"""
select 1
from fp_delivery
where {HOLDING_OR_DEAD}
"""

_LOOK = "select fence, state, settled_token from fp_delivery where id = :id"


def holding(write: Write, hold: Hold, *, done: bool = False) -> Standing | None:
    """Return the delivery as it stands while the claim holds, else None.

    What it says is true until the transaction ends: nobody else can write meanwhile.

    Args:
        done: The work is done. That is good news also of a delivery that was given up
            because its last lease had expired, and that nobody has touched since.
    """
    proof = {"id": hold.id, "fence": hold.fence, "token": hold.token, "now": write.now_ms}
    rows = write.run(_HOLDING_OR_DEAD if done else _HOLDING, proof)
    return next(iter(standings(write, rows)), None)


def require(write: Write, hold: Hold, operation: str) -> Standing:
    """Return the delivery as it stands, or raise LeaseLost because the claim does not hold."""
    standing = holding(write, hold)
    if standing is None:
        raise lost(write, hold, operation)
    return standing


def require_to_end(write: Write, hold: Hold, operation: str) -> None:
    """Raise LeaseLost if the claim does not hold for work that is going to be done."""
    if not write.run(_HOLDS_OR_DEAD, {"id": hold.id, "fence": hold.fence, "token": hold.token}):
        raise lost(write, hold, operation)


def settled_already(write: Write, hold: Hold, state: str) -> bool:
    """True when this very lease brought the delivery to `state`: the call is a repeat."""
    rows = write.run(_LOOK, {"id": hold.id})
    return bool(rows) and rows[0] == (hold.fence, state, hold.token)


def lost(write: Write, hold: Hold, operation: str) -> LeaseLost:
    """Return the error for a claim that does not hold, with its cause."""
    rows = [(fence, settled) for fence, _, settled in write.run(_LOOK, {"id": hold.id})]
    cause = rules.claim(fence=hold.fence, token=hold.token, found=next(iter(rows), None))
    return LeaseLost(
        hold.what, cause=cause, operation=operation, path=write.path, store_id=write.store_id
    )
