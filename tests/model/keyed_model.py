"""What keyed state does: dictionaries with caps, within caps of their owners."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fencepost import InvalidInput, LimitExceeded, StoreCorrupt

from .machine import Refused

Address = tuple[str, str]
Options = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """An entry; it stays when it has expired, until somebody frees it. Times in ms."""

    text: str
    created: int
    expires: int | None
    damaged: bool = False

    def live(self, now: int) -> bool:
        return self.expires is None or self.expires > now


@dataclass
class Space:
    """A namespace of which something is recorded."""

    max_entries: int | None = None
    ttl: int | None = None
    overflow: str = "evict"
    rows: dict[str, Row] = field(default_factory=dict)

    def free(self, now: int) -> int:
        """Drop what has expired."""
        before = len(self.rows)
        self.rows = {key: row for key, row in self.rows.items() if row.live(now)}
        return before - len(self.rows)

    def live(self, now: int) -> dict[str, Row]:
        return {key: row for key, row in self.rows.items() if row.live(now)}


class KeyedState:
    """All namespaces of all owners."""

    def __init__(self) -> None:
        self.spaces: dict[Address, Space] = {}
        self.owner_caps: dict[str, int | None] = {}
        self.aside: list[tuple[Address, str]] = []

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Let all of it happen, or nothing."""
        before = copy.deepcopy((self.spaces, self.owner_caps, self.aside))
        try:
            yield
        except BaseException:
            self.spaces, self.owner_caps, self.aside = before
            raise

    def open(self, at: Address, options: Options, now: int) -> None:
        if options:
            with self.whole():
                self._ensure(at, options, now)

    # writing

    def register(
        self, at: Address, options: Options, pairs: Sequence[tuple[str, str, int | None]], now: int
    ) -> None:
        with self.whole():
            for key, text, ttl in pairs:
                self._put(at, options, key, text, ttl, now)

    def register_if_absent(
        self, at: Address, options: Options, key: str, text: str, ttl: int | None, now: int
    ) -> bool:
        with self.whole():
            space = self._ensure(at, options, now)
            space.free(now)
            if key in space.rows:
                return False
            self._put(at, options, key, text, ttl, now)
            return True

    def update(
        self,
        at: Address,
        options: Options,
        key: str,
        change: Callable[[str], str | None],
        default: str,
        ttl: int | None,
        now: int,
    ) -> str:
        row = self.lookup(at, key, now)
        held = default if row is None else row.text
        text = change(held)
        if text is None:
            return held
        with self.whole():
            self._put(at, options, key, text, ttl, now)
        return text

    def delete(self, at: Address, key: str, now: int) -> bool:
        return self._remove(at, key, now) is not None

    def consume(self, at: Address, key: str, now: int) -> Row | None:
        row = self._remove(at, key, now)
        if row is None or not row.live(now):
            return None
        if row.damaged:
            self.aside.append((at, key))
            raise Refused(StoreCorrupt)
        return row

    def delete_if(self, at: Address, key: str, text: str, now: int) -> bool:
        """Delete a live entry whose value is this one."""
        row = self.lookup(at, key, now)
        return row is not None and row.text == text and self.delete(at, key, now)

    def compare(
        self,
        at: Address,
        options: Options,
        key: str,
        seen: Row | None,
        text: str | None,
        ttl: int | None,
        now: int,
    ) -> tuple[str, Row | None]:
        """Register `text`, or delete if it is None, when the key holds what was seen."""
        held = self.lookup(at, key, now)
        if held != seen:
            return "conflict", held
        if text is None:
            deleted = held is not None and self.delete(at, key, now)
            return ("applied" if deleted else "unchanged"), None
        with self.whole():
            self._put(at, options, key, text, ttl, now)
        return "applied", self.lookup(at, key, now)

    def clear(self, at: Address) -> int:
        space = self.spaces.get(at, Space())
        removed = len(space.rows)
        space.rows = {}
        return removed

    def move(self, at: Address, options: Options, source: str, now: int) -> int:
        origin_at = (at[0], source)
        if origin_at not in self.spaces:
            return 0
        with self.whole():
            space, origin = self._ensure(at, options, now), self.spaces[origin_at]
            origin.free(now)
            if any(row.expires is not None for row in origin.rows.values()):
                raise Refused(InvalidInput)
            space.free(now)
            new = {key: row for key, row in origin.rows.items() if key not in space.rows}
            if space.max_entries is not None and len(space.rows) + len(new) > space.max_entries:
                raise Refused(LimitExceeded)
            space.rows |= new
            origin.rows = {}
            return len(new)

    def sweep(self, now: int) -> int:
        return sum(space.free(now) for space in self.spaces.values())

    def damage(self, at: Address, key: str) -> None:
        row = self.spaces[at].rows[key]
        self.spaces[at].rows[key] = Row("{", row.created, row.expires, damaged=True)

    # reading

    def lookup(self, at: Address, key: str, now: int) -> Row | None:
        (found,) = self.lookup_many(at, [key], now)
        if isinstance(found, Row) and found.damaged:
            raise Refused(StoreCorrupt)
        return found

    def lookup_many(self, at: Address, keys: Sequence[str], now: int) -> list[Row | None]:
        live = self.spaces.get(at, Space()).live(now)
        found = {key: live.get(key) for key in keys}
        self._read(at, sorted(found.items()))
        return [found[key] for key in keys]

    def entries(self, at: Address, limit: int | None, now: int) -> list[tuple[str, Row]]:
        live = self.spaces.get(at, Space()).live(now)
        found = sorted(live.items(), key=lambda item: (item[1].created, item[0]))
        return self._read(at, found[:limit])

    def range(
        self, at: Address, start: str, end: str | None, limit: int | None, down: bool, now: int
    ) -> list[tuple[str, Row]]:
        live = self.spaces.get(at, Space()).live(now)
        found = sorted(item for item in live.items() if start <= item[0])
        found = [item for item in found if end is None or item[0] < end]
        return self._read(at, (found[::-1] if down else found)[:limit])

    def count(self, at: Address, now: int) -> int:
        return len(self.spaces.get(at, Space()).live(now))

    def rows(self, owner: str) -> int:
        return sum(len(space.rows) for at, space in self.spaces.items() if at[0] == owner)

    # what follows

    def _read(self, at: Address, found: Sequence[tuple[str, Row | None]]) -> list[tuple[str, Row]]:
        """Set aside what is damaged, and return the rest."""
        for key, row in found:
            if row is not None and row.damaged:
                del self.spaces[at].rows[key]
                self.aside.append((at, key))
        return [(key, row) for key, row in found if row is not None and not row.damaged]

    def _ensure(self, at: Address, options: Options, now: int) -> Space:
        owner = at[0]
        space = self.spaces.setdefault(at, Space())
        self.owner_caps.setdefault(owner, None)
        other = {name for name, value in options.items() if value != self._recorded(at, name)}
        if not other:
            return space
        space.free(now)
        if "owner_max_entries" in other:
            self._free_owner(owner, now)
            if self.rows(owner):
                raise Refused(InvalidInput)
            self.owner_caps[owner] = options["owner_max_entries"]
        for name in other - {"owner_max_entries"}:
            if space.rows:
                raise Refused(InvalidInput)
            setattr(space, name, options[name])
        return space

    def _recorded(self, at: Address, name: str) -> Any:
        if name == "owner_max_entries":
            return self.owner_caps[at[0]]
        return getattr(self.spaces[at], name)

    def _put(
        self, at: Address, options: Options, key: str, text: str, ttl: int | None, now: int
    ) -> None:
        space = self._ensure(at, options, now)
        space.free(now)
        if key not in space.rows:
            self._make_room(at, space, now)
        ttl = space.ttl if ttl is None else ttl
        space.rows[key] = Row(text, now, None if ttl is None else now + ttl)

    def _make_room(self, at: Address, space: Space, now: int) -> None:
        owner_cap = self.owner_caps[at[0]]
        full = space.max_entries is not None and len(space.rows) >= space.max_entries
        if full and space.overflow == "reject":
            raise Refused(LimitExceeded)
        crowded = owner_cap is not None and self.rows(at[0]) >= owner_cap
        if crowded:
            self._free_owner(at[0], now)
            crowded = owner_cap is not None and self.rows(at[0]) >= owner_cap
        if not (full or crowded):
            return
        if space.overflow == "reject" or not space.rows:
            raise Refused(LimitExceeded)
        oldest = min(space.rows, key=lambda key: (space.rows[key].created, key))
        del space.rows[oldest]

    def _free_owner(self, owner: str, now: int) -> None:
        for at, space in self.spaces.items():
            if at[0] == owner:
                space.free(now)

    def _remove(self, at: Address, key: str, now: int) -> Row | None:
        space = self.spaces.get(at, Space())
        row = space.rows.pop(key, None)
        space.free(now)
        return row
