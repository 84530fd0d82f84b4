"""Copies: ended leases and raised fences, so that claims on the original are refused."""

from __future__ import annotations

import apsw

from ...errors import LimitExceeded
from ..file import schema
from ..session.damage import corrupt

# A store goes on giving out fences after it was copied. A copy begins beyond any that the
# first could reach, so whoever compares fences takes the copy's for the newer.
FENCE_EPOCH = 2**40

_MOST_FENCE = 2**63 - 1

_FENCE = "select last_fence from fp_store"

_ANEW = "update fp_store set last_fence = :fence, store_id = :id"

# A token is good until somebody else has claimed, also on a row that is ready again.
_END_LEASES = (
    "update fp_delivery set lease_until_ms = 0 where state = 'leased' and lease_until_ms is not null",
    "update fp_delivery set token = null where token is not null",
    "update fp_lease set token = null, expires_at_ms = 0 where token is not null",
    "update fp_once set token = null, expires_at_ms = 0 where state = 'claimed'",
)


def begin_anew(
    connection: apsw.Connection, path: str, *, operation: str, store_id: str, past: int = 0
) -> int:
    """End all leases, give the store its new id and move the fences on; return the last one.

    `past` is a fence that the new ones have to be beyond, besides the copy's own.

    Raises:
        StoreCorrupt: SQLite's check of the copy finds it damaged; nothing was changed.
        LimitExceeded: There are no fences left; nothing was changed.
    """
    found = connection.execute("pragma integrity_check(1)").get
    if found != "ok":
        raise corrupt(path, operation, found)
    with schema.whole(connection):
        fence: int = max(past, connection.execute(_FENCE).get) + FENCE_EPOCH
        if fence > _MOST_FENCE:
            raise LimitExceeded("the store has no fences left", operation=operation, path=path)
        connection.execute(_ANEW, {"fence": fence, "id": store_id})
        for statement in _END_LEASES:
            connection.execute(statement)
    return fence
