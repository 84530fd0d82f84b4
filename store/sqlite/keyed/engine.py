"""Keyed state on SQLite: each verb is one transaction or one read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...engine.keyed import Exchanged, Found, Item, Matches, Space
from ...errors import OutcomeUnknown, StoreBusy, StoreCorrupt, StoreFailed, StoreFull
from ...types.keyed.entry import Entry, Namespace, Quarantined
from ..file.space import ROW_BYTES, again_when_full, again_when_refused
from ..session.damage import calls_back, tells, told
from ..session.session import Session
from . import entries, move, namespaces, quarantine
from .namespaces import PRUNE
from .quarantine import Damaged


@tells
class SqliteKeyed:
    """See fencepost.store.engine.keyed.KeyedVerbs; the methods stand in its order."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, space: Space) -> None:
        record = namespaces.find(self._session, space)
        if record is not None and namespaces.agrees(record, space.options):
            return
        with self._session.write("keyed") as write:
            namespaces.ensure(write, space)

    def register(self, space: Space, items: Sequence[Item]) -> None:
        with self._session.write("register", grows=_grows(items)) as write:
            for item in items:
                entries.put(write, space, item, "register")

    def register_if_absent(self, space: Space, item: Item) -> bool:
        with self._session.write("register_if_absent", grows=_grows([item])) as write:
            return entries.put(write, space, item, "register_if_absent", replace=False)

    @calls_back
    def update(
        self, space: Space, key: str, change: Callable[[Entry | None], Item | None]
    ) -> StoreCorrupt | None:
        with self._session.write("update", nests=True):
            found = self._one(space, key)
            if isinstance(found, StoreCorrupt):
                return found
            item = change(found)
            if item is not None:
                self.register(space, [item])
            return None

    @calls_back
    def replace(self, space: Space, item: Item, matches: Matches) -> Exchanged | StoreCorrupt:
        with self._session.write("compare_and_set", nests=True):
            found = self._one(space, item.key)
            if isinstance(found, StoreCorrupt):
                return found
            if not matches(found):
                return Exchanged("conflict", found)
            self.register(space, [item])
            written = self._one(space, item.key)
            return written if isinstance(written, StoreCorrupt) else Exchanged("applied", written)

    def find(self, space: Space, keys: Sequence[str]) -> list[Found | None]:
        found = entries.find(self._session, space, keys)
        self._set_aside(space, found)
        return [None if one is None else self._told(space, one, "lookup") for one in found]

    @again_when_refused
    def take(self, space: Space, key: str) -> Found | None:
        with self._session.write("consume") as write:
            found = entries.take(write, space, key)
        return None if found is None else self._told(space, found, "consume")

    @again_when_refused
    def delete(self, space: Space, key: str) -> bool:
        with self._session.write("delete") as write:
            return entries.delete(write, space, key)

    @calls_back
    def delete_if(
        self, space: Space, key: str, predicate: Callable[[Entry], bool]
    ) -> bool | StoreCorrupt:
        with self._session.write("delete_if", nests=True):
            found = self._one(space, key)
            if found is None or isinstance(found, StoreCorrupt):
                return found or False
            return bool(predicate(found)) and self.delete(space, key)

    @calls_back
    def delete_matching(
        self, space: Space, keys: Sequence[tuple[str, Matches]]
    ) -> list[Exchanged | StoreCorrupt]:
        with self._session.write("delete_observed", nests=True):
            return [self._delete_matching(space, key, matches) for key, matches in keys]

    def _delete_matching(
        self, space: Space, key: str, matches: Matches
    ) -> Exchanged | StoreCorrupt:
        found = self._one(space, key)
        if isinstance(found, StoreCorrupt):
            return found
        if not matches(found):
            return Exchanged("conflict", found)
        # Without a live entry there is nothing to delete but what has expired.
        if found is None or not self.delete(space, key):
            return Exchanged("unchanged", found)
        return Exchanged("applied", None)

    def entries(self, space: Space, limit: int | None) -> list[Found]:
        found = entries.oldest(self._session, space, limit)
        self._set_aside(space, found)
        return [self._told(space, one, "entries") for one in found]

    def between(
        self, space: Space, start: str, end: str | None, *, limit: int | None, descending: bool
    ) -> list[Found]:
        found = entries.between(
            self._session, space, start, end, limit=limit, descending=descending
        )
        self._set_aside(space, found)
        return [self._told(space, one, "range") for one in found]

    def count(self, space: Space) -> int:
        return entries.live(self._session, space)

    @again_when_full
    def clear(self, space: Space) -> int:
        last = entries.last_id(self._session)
        removed = 0
        while True:
            with self._session.write("clear") as write:
                some = entries.clear(write, space, last)
            removed += some
            if some < PRUNE:
                return removed

    def move(self, space: Space, source: str, *, most: int) -> int:
        with self._session.write("move_from") as write:
            return move.move(write, space, source, most)

    def namespace(self, space: Space) -> Namespace | None:
        return namespaces.describe(self._session, space)

    def namespaces(self, limit: int) -> list[Namespace]:
        return namespaces.listing(self._session, limit)

    def quarantined(self, limit: int) -> list[Quarantined]:
        return quarantine.quarantined(self._session, limit)

    def _one(self, space: Space, key: str) -> Found | None:
        with told(self._session.path, "lookup"):
            (found,) = self.find(space, [key])
        return found

    def _set_aside(self, space: Space, found: Sequence[Entry | Damaged | None]) -> None:
        damaged = [one for one in found if isinstance(one, Damaged)]
        if not damaged:
            return
        try:
            with self._session.write("quarantine") as write:
                quarantine.set_aside(write, space, damaged)
        except (StoreBusy, StoreFull, StoreFailed, OutcomeUnknown):
            return  # the next to meet them sets them aside; reading goes on meanwhile

    def _told(self, space: Space, found: Entry | Damaged, operation: str) -> Found:
        if isinstance(found, Damaged):
            return found.error(space, operation, self._session.path)
        return found


def _grows(items: Sequence[Item]) -> int:
    return sum(len(item.value) + ROW_BYTES for item in items)
