"""What keyed state does: dictionaries with caps."""

from __future__ import annotations

from dataclasses import dataclass, field

from .verdict import Refused


@dataclass
class Row:
    """An entry; it stays when it has expired, until somebody frees it. Times in ms."""

    value: int
    created: int
    expires: int | None

    def live(self, now: int) -> bool:
        return self.expires is None or self.expires > now


@dataclass
class Space:
    """A namespace."""

    cap: int
    overflow: str
    rows: dict[str, Row] = field(default_factory=dict)

    def free(self, now: int) -> None:
        """Drop what has expired."""
        for key in [key for key, row in self.rows.items() if not row.live(now)]:
            del self.rows[key]


class Spaces:
    """All namespaces."""

    def __init__(self) -> None:
        self.spaces: dict[str, Space] = {}

    def register(
        self, name: str, key: str, value: int, ttl: int | None, *, now: int, got: None
    ) -> None:
        self._put(self.spaces[name], key, value, ttl, now)

    def register_if_absent(
        self, name: str, key: str, value: int, ttl: int | None, *, now: int, got: bool | None
    ) -> bool:
        space = self.spaces[name]
        space.free(now)
        if key in space.rows:
            return False
        self._put(space, key, value, ttl, now)
        return True

    def lookup(self, name: str, key: str, *, now: int, got: int | None) -> int:
        row = self.spaces[name].rows.get(key)
        return row.value if row is not None and row.live(now) else 0

    def consume(self, name: str, key: str, *, now: int, got: int | None) -> int:
        value = self.lookup(name, key, now=now, got=got)
        self.delete(name, key, now=now, got=None)
        return value

    def delete(self, name: str, key: str, *, now: int, got: bool | None) -> bool:
        space = self.spaces[name]
        found = space.rows.pop(key, None)
        space.free(now)
        return found is not None

    def count(self, name: str, *, now: int, got: int | None) -> int:
        return sum(row.live(now) for row in self.spaces[name].rows.values())

    def _put(self, space: Space, key: str, value: int, ttl: int | None, now: int) -> None:
        live = {name: row for name, row in space.rows.items() if row.live(now)}
        if key not in live and len(live) >= space.cap:
            if space.overflow == "reject":
                raise Refused("limit_exceeded")
            del live[min(live, key=lambda name: (live[name].created, name))]
        live[key] = Row(value, now, None if ttl is None else now + ttl)
        space.rows = live
