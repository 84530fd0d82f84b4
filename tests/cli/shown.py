"""What commands show: times, and text of senders that must not reach a terminal as it is."""

from __future__ import annotations

import re
from typing import Any

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# What it would do to a terminal: clear it, name its window, fill its clipboard.
HOSTILE = "\x1b[2J\x1b]0;pwned\x07\x1b]52;c;eA==\x07\r\n\x9b31m\u202e\u2028\x08\x7f"


def times(value: Any) -> list[Any]:
    """Return what stands under every name that ends in _at."""
    if isinstance(value, list):
        return [found for item in value for found in times(item)]
    if isinstance(value, dict):
        own = [item for name, item in value.items() if name.endswith("_at") and item is not None]
        return own + [found for item in value.values() for found in times(item)]
    return []
