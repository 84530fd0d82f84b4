"""How a model says no: to a call, or to what the store has answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Refused(Exception):
    """A call that is refused, by the error's code; also what the store answered with one."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def __repr__(self) -> str:
        return self.code


class Broken(Exception):
    """An invariant does not hold; and what else was seen to be wrong with it."""

    def __init__(self, invariant: str, what: str, others: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what
        self.others = others


@dataclass
class Fences:
    """All fences that were ever given out."""

    last: int = 0

    def given(self, fence: int, to: str) -> None:
        """Take note of one more."""
        if fence <= self.last:
            raise Broken("fences-rise", f"{to} got fence {fence}, and {self.last} was given before")
        self.last = fence
