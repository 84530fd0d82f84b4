"""The contract for keyed state.

Every verb prunes a bounded number of expired rows where it writes. An entry whose value
cannot be read is set aside in quarantine by whoever meets it, and stands in the answer
as a StoreCorrupt: raised within a transaction it would undo the setting aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import UNSET, UnsetType

from ..errors import StoreCorrupt
from ..types.entry import Entry, Namespace, Overflow, Quarantined

Found = Entry | StoreCorrupt


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a namespace; UNSET: whatever is recorded, None: no limit."""

    max_entries: int | UnsetType | None = UNSET
    ttl_ms: int | UnsetType | None = UNSET
    overflow: Overflow | UnsetType = UNSET
    owner_max_entries: int | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace by its address, with the options its user relies on."""

    owner: str
    name: str
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Item:
    """An entry to be written: JSON text, and a time to live of its own or None."""

    key: str
    value: str
    ttl_ms: int | None = None


class KeyedEngine(Protocol):
    """What a database does for keyed state."""

    def open(self, space: Space) -> None:
        """Record the options, or raise InvalidInput when others hold."""
        ...

    def register(self, space: Space, items: Sequence[Item]) -> None:
        """Write entries in one transaction, over what their keys held.

        Raises LimitExceeded, with nothing changed, when one finds no room.
        """
        ...

    def register_if_absent(self, space: Space, item: Item) -> bool:
        """Write an entry unless its key holds a live one; False when it does."""
        ...

    def find(self, space: Space, keys: Sequence[str]) -> list[Found | None]:
        """Return what the keys hold, in their order, as of one moment."""
        ...

    def take(self, space: Space, key: str) -> Found | None:
        """Delete an entry and return it; None when there was no live one."""
        ...

    def delete(self, space: Space, key: str) -> bool:
        """Delete an entry, expired or not; False when there was none."""
        ...

    def entries(self, space: Space, limit: int | None) -> list[Found]:
        """Return live entries, oldest first, then by key."""
        ...

    def between(
        self, space: Space, start: str, end: str | None, *, limit: int | None, descending: bool
    ) -> list[Found]:
        """Return live entries by key, from `start` up to but not including `end`."""
        ...

    def count(self, space: Space) -> int:
        """Count live entries without reading them."""
        ...

    def clear(self, space: Space) -> int:
        """Delete what is there now, in bounded transactions; return how many rows."""
        ...

    def move(self, space: Space, source: str, *, most: int) -> int:
        """Take over the entries of another namespace of this owner, in one transaction.

        Keys that are live here stay as they are. Raises LimitExceeded for more than `most`
        or more than there is room for, InvalidInput when one has a time to live; nothing
        is changed then.
        """
        ...

    def namespace(self, space: Space) -> Namespace | None:
        """Return what is recorded of the namespace."""
        ...

    def namespaces(self, limit: int) -> list[Namespace]:
        """Return at most `limit` namespaces, by owner and name."""
        ...

    def quarantined(self, limit: int) -> list[Quarantined]:
        """Return at most `limit` things that were set aside, newest first."""
        ...
