"""The contract for keyed state.

Every verb prunes a bounded number of expired rows where it writes. An entry whose value
cannot be read is set aside in quarantine by whoever meets it, and stands in the answer
as a StoreCorrupt: raised within a transaction it would undo the setting aside.

Some verbs are given a function that decides what is written. It is called once, within the
transaction of the verb, while nobody else can change the key. What it raises leaves the verb
as it is, and nothing was changed. It may call verbs of the same engine in the same thread: they
are part of the transaction, as within `transactions.begin`. One that takes long keeps others
waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from msgspec import UNSET, UnsetType

from ..errors import StoreCorrupt
from ..types.keyed.entry import Entry, Namespace, Overflow, Quarantined

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


class Exchanged(NamedTuple):
    """What came of a comparison.

    Attributes:
        status: "applied", "conflict" when the key held something else, "unchanged" when
            there was nothing to delete.
        entry: The live entry that the key holds now.
    """

    status: Literal["applied", "conflict", "unchanged"]
    entry: Entry | None


# True of what the key must hold: its live entry, or None.
Matches = Callable[[Entry | None], bool]


class KeyedVerbs(Protocol):
    """What a database does for keyed state."""

    def open(self, space: Space) -> None:
        """Record the options.

        Joins: yes.

        Raises:
            InvalidInput: Others hold, and there are entries.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def register(self, space: Space, items: Sequence[Item]) -> None:
        """Write entries in one transaction, over what their keys held.

        Joins: yes.

        Raises:
            LimitExceeded: One finds no room; nothing was changed.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def register_if_absent(self, space: Space, item: Item) -> bool:
        """Write an entry unless its key holds a live one; False when it does.

        Joins: yes.

        Raises:
            LimitExceeded: There is no room; nothing was changed.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Called again after the last,
                False may mean one's own entry.
        """
        ...

    def update(
        self, space: Space, key: str, change: Callable[[Entry | None], Item | None]
    ) -> StoreCorrupt | None:
        """Write what `change` makes of a key's live entry; None leaves it as it is.

        Joins: yes.

        Raises:
            LimitExceeded: There is no room; nothing was changed.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Called again after the last,
                the change may be made twice.
        """
        ...

    def replace(self, space: Space, item: Item, matches: Matches) -> Exchanged | StoreCorrupt:
        """Write an entry if its key holds what matches.

        Joins: yes.

        Raises:
            LimitExceeded: There is no room; nothing was changed.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Called again after the last,
                a conflict may be with one's own entry.
        """
        ...

    def find(self, space: Space, keys: Sequence[str]) -> list[Found | None]:
        """Return what the keys hold, in their order, as of one moment.

        Joins: reads, and sets aside what is damaged.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def take(self, space: Space, key: str) -> Found | None:
        """Delete an entry and return it; None when there was no live one.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: After the last, it may be gone.
        """
        ...

    def delete(self, space: Space, key: str) -> bool:
        """Delete an entry, expired or not; False when there was none.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def delete_if(
        self, space: Space, key: str, predicate: Callable[[Entry], bool]
    ) -> bool | StoreCorrupt:
        """Delete a live entry of which `predicate` is true; False when nothing was deleted.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def delete_matching(
        self, space: Space, keys: Sequence[tuple[str, Matches]]
    ) -> list[Exchanged | StoreCorrupt]:
        """Delete the live entries that match, in one transaction; outcomes in the keys' order.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def entries(self, space: Space, limit: int | None) -> list[Found]:
        """Return live entries, oldest first, then by key.

        Joins: reads, and sets aside what is damaged.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def between(
        self, space: Space, start: str, end: str | None, *, limit: int | None, descending: bool
    ) -> list[Found]:
        """Return live entries by key, from `start` up to but not including `end`.

        In the order of their keys' code points.

        Joins: reads, and sets aside what is damaged.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def count(self, space: Space) -> int:
        """Count live entries without reading them.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def clear(self, space: Space) -> int:
        """Delete what is there now, in bounded transactions; return how many rows.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Some may be deleted.
        """
        ...

    def move(self, space: Space, source: str, *, most: int) -> int:
        """Take over the entries of another namespace of this owner, in one transaction.

        Keys that are live here stay as they are.

        Joins: yes.

        Raises:
            LimitExceeded: They are more than `most`, or than there is room for.
            InvalidInput: One has a time to live.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def namespace(self, space: Space) -> Namespace | None:
        """Return what is recorded of the namespace.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def namespaces(self, limit: int) -> list[Namespace]:
        """Return at most `limit` namespaces, by owner and name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def quarantined(self, limit: int) -> list[Quarantined]:
        """Return at most `limit` things that were set aside, newest first.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...
