"""What a fork must not carry over.

A child that closed an inherited connection would drop locks and files from under its
parent; one that kept the parent's lock files open would hold the parent's locks.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that a forked child must let go of."""

    def abandon(self) -> None:
        """Let go, in the child, of what belongs to the parent."""
        ...


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()


def watch(thing: Forkable) -> None:
    """Have `thing.abandon` called in every child forked from now on."""
    _watched.add(thing)


def _abandon_all() -> None:
    for thing in list(_watched):
        thing.abandon()


os.register_at_fork(after_in_child=_abandon_all)
