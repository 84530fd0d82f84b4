"""When a message has ended, and which of its deliveries speaks for it."""

from __future__ import annotations

from collections.abc import Collection

from ...types.durable.ended import EndState

_WORST_FIRST: tuple[EndState, ...] = ("dead", "cancelled", "done")


def speaks(states: Collection[str]) -> EndState | None:
    """Return the state of a message by those of its deliveries; None: it has not ended.

    One that has no delivery yet has not: a route may be made for it.
    """
    if not states or not set(states) <= set(_WORST_FIRST):
        return None
    return next(state for state in _WORST_FIRST if state in states)
