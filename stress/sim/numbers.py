"""The numbers and secrets that the store has given out, for the reference to give out too.

Which they are is for the store to choose; that no fence comes twice, and that they rise for
each delivery and each name, is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...store.reference.memory import Numbers
from ...store.reference.tables import Tables
from ..sqlite.look import Seen
from .verdict import Broken

Grant = tuple[int, str]  # a fence and its token

_UNKNOWN = "?"


class Told(Numbers):
    """Numbers as far as they are known; others are below 0, and no store has those."""

    def __init__(self) -> None:
        self._new: dict[str, list[int]] = {}
        self._grants: dict[str, Grant] = {}

    def forget(self) -> None:
        """Know of nothing that is given out next."""
        self._new, self._grants = {}, {}

    def made(self, messages: Iterable[int], deliveries: Iterable[int]) -> None:
        """Know which messages and deliveries are made next."""
        self._new = {"message": list(messages), "delivery": list(deliveries)}

    def granted(self, grants: dict[str, Grant]) -> None:
        """Know the leases that are given out next, by what they are on."""
        self._grants = grants

    def seen(self, tables: Tables, seen: Seen) -> None:
        """Know what the file has that the tables have not."""
        messages = sorted(seen.deliveries.keys() - tables.messages.keys())
        self.made(messages, [seen.deliveries[message].delivery for message in messages])
        grants: dict[str, tuple[int, str | None]] = {}
        for row in seen.deliveries.values():
            grants[f"delivery {row.delivery}"] = row.fence, row.token
        for name, (_, fence, token, *_) in seen.leases.items():
            grants[f"name {name}"] = fence, token
        for key, (_, fence, token, *_) in seen.once.items():
            grants[f"key {key}"] = fence, token
        self.granted({what: (fence, token or "") for what, (fence, token) in grants.items()})

    def next(self, tables: Tables, kind: str) -> int:
        known = self._new.get(kind)
        return known.pop(0) if known else -super().next(tables, f"unknown {kind}")

    def fence(self, tables: Tables, what: str) -> int:
        if what not in self._grants:
            return -super().next(tables, "unknown fence")
        fence, _ = self._grants[what]
        before = tables.last.get(what, 0)
        if fence <= before:
            raise Broken("fences-rise", f"{what} got fence {fence}, and {before} before")
        if f"fence {fence}" in tables.last:
            raise Broken("fences-rise", f"{what} got fence {fence}, which another has had")
        tables.last[what] = tables.last[f"fence {fence}"] = fence
        return fence

    def token(self, what: str) -> str:
        return self._grants.get(what, (0, _UNKNOWN))[1]
