"""Retry delays and their caps."""

from __future__ import annotations

from .jitter import jitter

# Before the tenth attempt all waits together are at most 511 s, so ten attempts fit into a
# quarter of an hour. The longest is below an hour, so that what waits for a service is tried
# within an hour of its return.
_FIRST_MS = 1_000
_MOST_MS = 55 * 60_000

# What a first delay that the app chose doubles up to.
CHOSEN_MOST_MS = 3_600_000

# A wait of next to nothing, asked for again and again, would keep a worker busy for days.
_MANY_ATTEMPTS = 10
_LEAST_UNBOUNDED_MS = 1_000

# A worker that dies is usually not to blame on what it had claimed, so the first few
# attempts follow at once.
_AT_ONCE = 3

# Of several deliveries one has crashed their worker.
_ONE_BY_ONE_MS = 250
_MOST_DOUBLINGS = 6


def longest_ms(attempt: int, *, first_ms: int = _FIRST_MS, most_ms: int = _MOST_MS) -> int:
    """Return the most that is waited after an attempt (1 is the first): 1 s, 2 s, 4 s … 55 min."""
    return min(most_ms, first_ms << min(attempt - 1, 30))


def backoff_ms(attempt: int, *, first_ms: int = _FIRST_MS, most_ms: int = _MOST_MS) -> int:
    """Return a wait after a failed attempt: a random part, at least half, of the longest.

    The random part keeps a thousand failures from coming back together.
    """
    longest = longest_ms(attempt, first_ms=first_ms, most_ms=most_ms)
    return jitter.randint(longest // 2, longest)


def chosen_backoff_ms(attempt: int, first_ms: int) -> int:
    """Return a wait after a failed attempt of a handler that has named its first delay."""
    return backoff_ms(attempt, first_ms=first_ms, most_ms=CHOSEN_MOST_MS)


def least_ms(attempt: int, max_attempts: int | None) -> int:
    """Return the least that is waited after an attempt, whatever the handler asks for.

    That is 1 s after ten attempts of a delivery whose attempts are not limited, else 0.
    """
    unbounded = max_attempts is None and attempt >= _MANY_ATTEMPTS
    return _LEAST_UNBOUNDED_MS if unbounded else 0


def apart_ms(attempt: int) -> int:
    """Return how far apart attempts begin whose worker was lost: 0, 0, 0, 8 s, 16 s … 55 min."""
    return 0 if attempt <= _AT_ONCE else longest_ms(attempt)


def one_by_one_ms(place: int, attempt: int) -> int:
    """Return the wait of one of several deliveries of which one has crashed their worker.

    The first (place 0) does not wait, each other 250 ms longer than the one before it, and
    twice as long after each attempt, so that soon one of them is alone with its worker.
    """
    return place * (_ONE_BY_ONE_MS << min(attempt - 1, _MOST_DOUBLINGS))
