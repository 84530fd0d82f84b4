"""How the simulation says that the store is wrong."""

from __future__ import annotations

from collections.abc import Sequence


class Broken(Exception):
    """An invariant does not hold; and what else was seen to be wrong with it."""

    def __init__(self, invariant: str, what: str, others: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what
        self.others = others
