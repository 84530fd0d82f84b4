"""A port: what is really in a store, read by connections that are not the store's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .. import engines
from .history import Recorder


class Delivery(NamedTuple):
    """A delivery, with the key of its message."""

    queue: str
    key: str
    id: int
    state: str
    attempt: int


class Census(Protocol):
    """Counts what a store has, row by row; each call sees it as of one moment."""

    def deliveries(self, state: str = "") -> list[Delivery]:
        """Return all deliveries, or those in a state, oldest first."""
        ...

    def capped(self) -> list[tuple[str, int, int]]:
        """Return everything that has a cap: its name, the cap, and how much there is."""
        ...

    def miscounted(self) -> list[str]:
        """Return which counters of the store are wrong, in words."""
        ...

    def verdict(self) -> str:
        """Return "ok", or what is wrong with the database or its counters."""
        ...

    def left(self) -> list[str]:
        """Return what is kept of deliveries that cannot run again, in words."""
        ...

    def sizes(self) -> dict[str, int]:
        """Return what must not grow without end: "rows" of messages, and bytes by file."""
        ...

    def rows(self, sql: str) -> list[Any]:
        """Return all rows of a query on tables that a scenario has made."""
        ...


@contextmanager
def census(address: str | Path) -> Iterator[Census]:
    """Look into a store until the block ends, as its engine allows."""
    looking = engines.module(address, "census").Census(address)
    try:
        yield looking
    finally:
        looking.close()


def integrity(address: str | Path) -> str:
    """Return "ok", or what is wrong with the database or its counters, "unreadable" included."""
    says: str = engines.module(address, "census").integrity(address)
    return says


def note_end(history: Recorder, seen: Census) -> None:
    """Note for the checker what has become of every delivery, each effect, and the integrity."""
    for each in seen.deliveries():
        history.seen("final", queue=each.queue, key=each.key, id=each.id, state=each.state)
    for key, count in seen.rows("select key, count(*) from effects group by key"):
        history.seen("effect", key=key, count=count)
    history.seen("integrity", says=seen.verdict())
