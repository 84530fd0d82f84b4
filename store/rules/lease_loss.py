"""Why a lease was lost, from what is stored of it now."""

from __future__ import annotations

from typing import Literal

Cause = Literal["superseded", "settled", "revoked", "missing", "expired", "released"]


def claim(*, fence: int, token: str, found: tuple[int, str | None] | None) -> Cause:
    """Return why a claim of a delivery does not hold.

    Args:
        found: The fence of the delivery, and the token of the claim that ended it last; None
            when its row is gone.
    """
    if found is None:
        return "missing"
    now, settled = found
    if now != fence:
        return "superseded"
    return "settled" if settled == token else "revoked"


def name(*, fence: int, token: str, found: tuple[int, str | None, str | None] | None) -> Cause:
    """Return why a lease of a name does not hold.

    Args:
        found: The fence, the token, None when it was released, and the token of the lease
            that its holder released last; None when the row is gone.
    """
    if found is None:
        return "missing"
    now, held, released = found
    if released == token or (now == fence and held is None):
        return "released"  # by its holder, or by an operator
    return "expired" if (now, held) == (fence, token) else "superseded"


def key(*, fence: int, token: str, found: tuple[str, int, str | None, str | None] | None) -> Cause:
    """Return why a claim of a key does not hold.

    Args:
        found: The state of the key, its fence, its token, and the token of the claim that
            ended it last; None when the row is gone.
    """
    if found is None:
        return "missing"
    state, now, held, settled = found
    if settled == token and state in ("done", "released"):
        return "settled" if state == "done" else "released"
    return "expired" if (now, held) == (fence, token) else "superseded"
