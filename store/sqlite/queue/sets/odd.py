"""What a set may be told: it is not an ordinary one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class OddSet(Exception):
    """Something in the set is not ordinary, and perhaps a part of it is changed already.

    The transaction must not commit.
    """


def by_set_or_by_row(transact: Callable[[bool], T]) -> T:
    """Return what a transaction returns that is tried by set first, then row by row.

    The first is rolled back when it raises OddSet.
    """
    try:
        return transact(True)
    except OddSet:
        return transact(False)
