"""How long a delivery waits for its next attempt."""

from __future__ import annotations

from .jitter import jitter

# Before the tenth attempt all waits together are at most 511 s, so ten attempts fit into a
# quarter of an hour. The longest is below an hour, so that what waits for a service is tried
# within an hour of its return.
_FIRST_MS = 1_000
_MOST_MS = 55 * 60_000

# What a first delay that the app chose doubles up to.
CHOSEN_MOST_MS = 60 * 60_000

# A worker that dies is usually not to blame on what it held, so the first few come back at once.
_AT_ONCE = 3


def longest_ms(attempt: int, *, first_ms: int = _FIRST_MS, most_ms: int = _MOST_MS) -> int:
    """Return the most that is waited after an attempt (1 is the first): 1 s, 2 s, 4 s … 55 min."""
    return min(most_ms, first_ms << min(attempt - 1, 30))


def backoff_ms(attempt: int, *, first_ms: int = _FIRST_MS, most_ms: int = _MOST_MS) -> int:
    """Return a wait after a failed attempt: a random part, at least half, of the longest.

    The random part keeps a thousand failures from coming back together.
    """
    longest = longest_ms(attempt, first_ms=first_ms, most_ms=most_ms)
    return jitter.randint(longest // 2, longest)


def apart_ms(attempt: int) -> int:
    """Return how far apart attempts begin whose worker was lost: 0, 0, 0, 8 s, 16 s … 55 min."""
    return 0 if attempt <= _AT_ONCE else longest_ms(attempt)
