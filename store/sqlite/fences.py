"""Fences: one counter for the whole store."""

from __future__ import annotations

from ..errors import LimitExceeded
from .session.session import Write

MOST = 2**63 - 1  # what SQLite's INTEGER holds; sqlite.org/datatype3.html

_LAST = "select last_fence from fp_store"

_ADVANCE = "update fp_store set last_fence = :last, seen_ms = max(seen_ms, :now)"


def next_fences(write: Write, count: int = 1) -> range:
    """Return the next `count` fences; tell nobody before the transaction has committed.

    Raises:
        LimitExceeded: There is none left; nothing was changed.
    """
    (last,) = write.one(_LAST)
    if not isinstance(last, int):
        raise write.corrupt(f"the last fence is {last!r}")
    if last > MOST - count:
        raise LimitExceeded("the store has no fences left", operation="fence", path=write.path)
    write.must(_ADVANCE, {"last": last + count, "now": write.now_ms})
    return range(last + 1, last + count + 1)
