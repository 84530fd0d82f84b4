"""How long a failed delivery waits."""

from __future__ import annotations

import random

# Source: the base and cap of openclaw's ingress drain (1 s doubling to 3 minutes), with the
# full jitter of aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter.
_BASE_MS = 1_000
_CAP_MS = 180_000


def backoff_ms(attempt: int, *, first_ms: int = _BASE_MS, most_ms: int = _CAP_MS) -> int:
    """Return a random wait after the given attempt (1 is the first): at most 1 s, 2 s, 4 s …"""
    return random.randint(0, min(most_ms, first_ms << min(attempt - 1, 30)))
