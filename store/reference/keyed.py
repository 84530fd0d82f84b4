"""Keyed state in plain Python: each verb is one transaction or one read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..engine.keyed import Exchanged, Found, Item, Matches, Space
from ..errors import StoreBusy, StoreCorrupt
from ..types.content.json_value import decode
from ..types.keyed.entry import Entry, Namespace, Quarantined
from . import namespaces
from .memory import Session, Write
from .rows import AsideRow, EntryRow
from .tables import Name, Tables

Held = tuple[str, EntryRow]


class PlainKeyed:
    """See fencepost.store.engine.keyed.KeyedVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, space: Space) -> None:
        if not namespaces.agrees(self._session.read("keyed"), space):
            with self._session.write("keyed") as write:
                namespaces.ensure(write, space)

    def register(self, space: Space, items: Sequence[Item]) -> None:
        with self._session.write("register") as write:
            for item in items:
                namespaces.put(write, space, item)

    def register_if_absent(self, space: Space, item: Item) -> bool:
        with self._session.write("register_if_absent") as write:
            return namespaces.put(write, space, item, replace=False)

    def update(
        self, space: Space, key: str, change: Callable[[Entry | None], Item | None]
    ) -> StoreCorrupt | None:
        with self._session.write("update") as write:
            found = self._look(write, space, key)
            if isinstance(found, StoreCorrupt):
                return found
            item = change(found)
            if item is not None:
                namespaces.put(write, space, item)
            return None

    def replace(self, space: Space, item: Item, matches: Matches) -> Exchanged | StoreCorrupt:
        with self._session.write("compare_and_set") as write:
            found = self._look(write, space, item.key)
            if isinstance(found, StoreCorrupt):
                return found
            if not matches(found):
                return Exchanged("conflict", found)
            namespaces.put(write, space, item)
            written = self._look(write, space, item.key)
            return written if isinstance(written, StoreCorrupt) else Exchanged("applied", written)

    def find(self, space: Space, keys: Sequence[str]) -> list[Found | None]:
        rows = self._live(space)
        held = sorted((key, rows[key]) for key in set(keys) if key in rows)
        told = dict(zip((key for key, _ in held), self._told(space, held, "lookup"), strict=True))
        return [told.get(key) for key in keys]

    def take(self, space: Space, key: str) -> Found | None:
        with self._session.write("consume") as write:
            row = namespaces.remove(write, (space.owner, space.name), key)
            if row is None or not row.is_live(write.now):
                return None
            found = _read(space, key, row, "consume", self._session.address)
            if isinstance(found, StoreCorrupt):
                _keep(write, space, key, found)
            return found

    def delete(self, space: Space, key: str) -> bool:
        with self._session.write("delete") as write:
            return namespaces.remove(write, (space.owner, space.name), key) is not None

    def delete_if(
        self, space: Space, key: str, predicate: Callable[[Entry], bool]
    ) -> bool | StoreCorrupt:
        with self._session.write("delete_if") as write:
            found = self._look(write, space, key)
            if found is None or isinstance(found, StoreCorrupt):
                return found or False
            if not predicate(found):
                return False
            return namespaces.remove(write, (space.owner, space.name), key) is not None

    def delete_matching(
        self, space: Space, keys: Sequence[tuple[str, Matches]]
    ) -> list[Exchanged | StoreCorrupt]:
        outcomes: list[Exchanged | StoreCorrupt] = []
        with self._session.write("delete_observed") as write:
            for key, matches in keys:
                found = self._look(write, space, key)
                if isinstance(found, StoreCorrupt):
                    outcomes.append(found)
                elif not matches(found):
                    outcomes.append(Exchanged("conflict", found))
                elif found is None:
                    outcomes.append(Exchanged("unchanged", None))
                else:
                    namespaces.remove(write, (space.owner, space.name), key)
                    outcomes.append(Exchanged("applied", None))
        return outcomes

    def entries(self, space: Space, limit: int | None) -> list[Found]:
        rows = self._live(space).items()
        held = sorted(rows, key=lambda item: (item[1].created_ms, item[0]))
        return self._told(space, held[:limit], "entries")

    def between(
        self, space: Space, start: str, end: str | None, *, limit: int | None, descending: bool
    ) -> list[Found]:
        held = [
            (key, row)
            for key, row in sorted(self._live(space).items(), reverse=descending)
            if start <= key and (end is None or key < end)
        ]
        return self._told(space, held[:limit], "range")

    def count(self, space: Space) -> int:
        return len(self._live(space))

    def clear(self, space: Space) -> int:
        with self._session.write("clear") as write:
            at = (space.owner, space.name)
            count = len(write.tables.entries.get(at, {}))
            if count:
                write.entries(at).clear()
            return count

    def move(self, space: Space, source: str, *, most: int) -> int:
        with self._session.write("move_from") as write:
            return namespaces.move(write, space, source, most)

    def namespace(self, space: Space) -> Namespace | None:
        return namespaces.describe(self._session.read(), (space.owner, space.name))

    def namespaces(self, limit: int) -> list[Namespace]:
        tables = self._session.read()
        found = [namespaces.describe(tables, at) for at in sorted(tables.spaces)[:limit]]
        return [one for one in found if one is not None]

    def quarantined(self, limit: int) -> list[Quarantined]:
        aside = sorted(self._session.read().aside.items(), reverse=True)
        return [
            Quarantined(id, row.place, row.why, row.found_ms / 1000) for id, row in aside[:limit]
        ]

    def _live(self, space: Space) -> dict[str, EntryRow]:
        return _live(self._session.read(), (space.owner, space.name), self._session.now_ms())

    def _look(self, write: Write, space: Space, key: str) -> Found | None:
        """Return what a key holds; what is damaged is set aside."""
        row = _live(write.tables, (space.owner, space.name), write.now).get(key)
        return None if row is None else self._told(space, [(key, row)], "lookup")[0]

    def _told(self, space: Space, held: Iterable[Held], operation: str) -> list[Found]:
        found = [
            (key, _read(space, key, row, operation, self._session.address)) for key, row in held
        ]
        damaged = [(key, one) for key, one in found if isinstance(one, StoreCorrupt)]
        if damaged:
            try:
                with self._session.write("quarantine") as write:
                    for key, error in damaged:
                        namespaces.remove(write, (space.owner, space.name), key)
                        _keep(write, space, key, error)
            except StoreBusy:
                pass  # the next to meet it sets it aside
        return [one for _, one in found]


def _live(tables: Tables, at: Name, now: int) -> dict[str, EntryRow]:
    return {key: row for key, row in tables.entries.get(at, {}).items() if row.is_live(now)}


def _read(space: Space, key: str, row: EntryRow, operation: str, address: str) -> Found:
    try:
        value = decode(row.value.encode())
    except ValueError as error:
        return StoreCorrupt(
            f"{_place(space, key)} is damaged and set aside: {error}",
            operation=operation,
            path=address,
        )
    expires = None if row.expires_ms is None else row.expires_ms / 1000
    return Entry(key=key, value=value, created_at=row.created_ms / 1000, expires_at=expires)


def _keep(write: Write, space: Space, key: str, error: StoreCorrupt) -> None:
    id = write.next("aside")
    write.tables.aside[id] = AsideRow(f"entry, {_place(space, key)}", str(error), write.now)


def _place(space: Space, key: str) -> str:
    return f"{space.owner}/{space.name} {key!r}"
