"""Locks and connections across fork().

SQLite keeps one record of a file's locks for all connections of a process. A forked
child inherits the record and none of the locks, so a connection that it opens anew
takes none either, and the next process to close the file deletes the WAL under it. So
the child closes, first of all, what it has inherited; which is safe only while no
transaction is open, because the child would undo it in the memory that it shares.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that a forked child must let go of."""

    def prepare(self) -> None:
        """Come to rest, in the parent, before a fork."""
        ...

    def resume(self) -> None:
        """Go on, in the parent, after a fork."""
        ...

    def abandon(self) -> None:
        """Let go, in the child, of what belongs to the parent."""
        ...


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
_inherited: set[tuple[int, int]] = set()


def watch(thing: Forkable) -> None:
    """Have `thing` told of every fork from now on."""
    _watched.add(thing)


def inherit(identity: tuple[int, int] | None) -> None:
    """Remember, in the child, a database that could not be let go of."""
    if identity is not None:
        _inherited.add(identity)


def inherited(identity: tuple[int, int] | None) -> bool:
    """True when this process cannot open the database: it was forked within a transaction."""
    return identity in _inherited


def _prepare() -> None:
    for thing in list(_watched):
        thing.prepare()


def _resume() -> None:
    for thing in list(_watched):
        thing.resume()


def _abandon() -> None:
    for thing in list(_watched):
        thing.abandon()


os.register_at_fork(before=_prepare, after_in_parent=_resume, after_in_child=_abandon)
