"""What handlers count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Where a counter stops: the largest integer of a column.
MOST = 2**63 - 1

# Of one attempt; they are added in one statement.
MOST_NAMES = 1000


def added(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums by name."""
    sums: dict[str, int] = {}
    for counts in counted:
        for name, value in counts.items():
            sums[name] = min(sums.get(name, 0) + value, MOST)
    return sums
