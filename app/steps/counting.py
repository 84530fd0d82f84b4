"""What an attempt counts, until a commit takes it."""

from __future__ import annotations

from ...store.errors import InvalidInput, LimitExceeded
from ...store.types.durable.counts import MOST, MOST_NAMES
from ...store.types.validate import count


def add(counts: dict[str, int], name: object, by: int) -> None:
    """Add to one of the sums.

    Raises:
        InvalidInput: The name or the number cannot be used.
        LimitExceeded: There are 1,000 names.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= 200 or not name.isprintable():
        raise InvalidInput(f"a counter's name has 1 to 200 printable characters, not {name!r}")
    count(by, "by", least=0, most=MOST)
    if name not in counts and len(counts) >= MOST_NAMES:
        raise LimitExceeded(f"an attempt adds to at most {MOST_NAMES} counters")
    counts[name] = min(counts.get(name, 0) + by, MOST)
