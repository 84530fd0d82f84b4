"""Keyed state: JSON values under keys, with a cap and a ttl."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final

from msgspec import UNSET, UnsetType

from ..engine import Engine
from ..engine.keyed import Found, Item, Options, Space
from ..errors import FencepostError, ImportFailed, InvalidInput, LimitExceeded
from ..naming import verbs
from ..types import validate
from ..types.content import json_value
from ..types.keyed.entry import Entry, Namespace, Overflow
from ..types.validate import Duration
from . import arguments
from .comparing import Comparing, new_item, sound

MOST_KEYS = 10_000  # of one lookup_many, and of one move
_BATCH = 500


class _Null(Enum):
    NULL = "null"


NULL: Final = _Null.NULL
"""Returned by the function given to `Keyed.update` to store JSON null."""


@verbs
class Keyed(Comparing):
    """A namespace of keyed state, from `Store.keyed`.

    Keys are trimmed of surrounding whitespace and have 1 to 512 bytes of UTF-8 without
    control characters. Values are JSON of at most 1 MiB, nested at most 64 deep; a tuple
    comes back as a list. No read returns an entry once its `expires_at` has passed.

    Each call that writes is atomic. Inside `Store.transaction` it is part of the
    transaction. It may raise StoreBusy, with nothing changed, or OutcomeUnknown. A call that
    finds a damaged value moves it to quarantine (`Store.quarantined`) and raises
    StoreCorrupt; after that the key is free.
    """

    def __init__(
        self,
        engine: Engine,
        owner: str,
        name: str,
        *,
        max_entries: int | UnsetType | None = UNSET,
        ttl: Duration | UnsetType | None = UNSET,
        overflow: Overflow | UnsetType = UNSET,
        owner_max_entries: int | UnsetType | None = UNSET,
    ) -> None:
        options = Options(
            max_entries=arguments.limit(max_entries, "max_entries"),
            ttl_ms=ttl if isinstance(ttl, UnsetType) else arguments.ttl(ttl),
            overflow=arguments.overflow(overflow),
            owner_max_entries=arguments.limit(owner_max_entries, "owner_max_entries"),
        )
        names = validate.name(owner, "owner"), validate.name(name, "namespace")
        super().__init__(engine, Space(*names, options))
        if options != Options():
            engine.keyed.open(self._space)

    def register(self, key: str, value: Any, ttl: Duration | None = None) -> None:
        """Store a value under a key. An earlier entry is replaced: value, age and ttl are new.

        Args:
            ttl: Seconds until the entry expires; None for the namespace's ttl.

        Raises:
            InvalidInput: The key, value or ttl is not usable, or the namespace's options
                have changed since it was opened; nothing was changed.
            LimitExceeded: The value is too large; or the key is new, a cap is reached and
                nothing may be evicted. Nothing was changed.
        """
        self._engine.keyed.register(self._space, [new_item(key, value, ttl)])

    def register_many(
        self, pairs: Iterable[tuple[str, Any]], *, ttl: Duration | None = None
    ) -> int:
        """Register pairs of key and value, 500 per transaction; return how many.

        Raises:
            ImportFailed: An error stopped it; `__cause__` has it. The first `.committed`
                pairs are stored. Pass the rest to continue, or all of them again.
        """
        committed = 0
        remaining = validate.each(pairs, "pairs")
        try:
            while batch := list(itertools.islice(remaining, _BATCH)):
                items = [new_item(key, value, ttl) for key, value in batch]
                self._engine.keyed.register(self._space, items)
                committed += len(batch)
        except (FencepostError, TypeError, ValueError) as error:
            raise ImportFailed(
                f"stopped after {committed} entries: {error}",
                committed=committed,
                operation="register_many",
                path=self._engine.identity.address,
            ) from error
        return committed

    def register_if_absent(self, key: str, value: Any, ttl: Duration | None = None) -> bool:
        """Store a value, unless the key has a live entry; that entry does not change.

        If many callers do this at the same time, exactly one gets True. When you repeat the
        call after OutcomeUnknown, False may mean that your own first call stored the value.

        Raises:
            InvalidInput: As for `register`.
            LimitExceeded: As for `register`.
        """
        return self._engine.keyed.register_if_absent(self._space, new_item(key, value, ttl))

    def lookup(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default` if there is none.

        Raises:
            StoreCorrupt: The value is damaged and was moved to quarantine.
        """
        entry = self._entry(arguments.key(key))
        return default if entry is None else entry.value

    def lookup_many(self, keys: Sequence[str], default: Any = None) -> list[Any]:
        """Return the values of at most 10,000 keys, in the order of the keys.

        All are read at one moment. `default` takes the place of a missing entry, and a
        StoreCorrupt object the place of a damaged value.
        """
        keys = list(validate.each(keys, "keys"))
        if len(keys) > MOST_KEYS:
            raise LimitExceeded(f"{len(keys)} keys were given; one call takes {MOST_KEYS}")
        found = self._engine.keyed.find(self._space, [arguments.key(key) for key in keys])
        return [
            default if one is None else one.value if isinstance(one, Entry) else one
            for one in found
        ]

    def consume(self, key: str, default: Any = None) -> Any:
        """Delete a key and return its value, or `default` if there is none.

        If many callers do this at the same time, one gets the value. After OutcomeUnknown
        the value may be deleted.

        Raises:
            StoreCorrupt: The value is damaged and was moved to quarantine.
        """
        entry = sound(self._engine.keyed.take(self._space, arguments.key(key)))
        return default if entry is None else entry.value

    def delete(self, key: str) -> bool:
        """Delete a key. True if a row was deleted, even one that had expired already."""
        return self._engine.keyed.delete(self._space, arguments.key(key))

    def delete_if(self, key: str, predicate: Callable[[Any], bool]) -> bool:
        """Delete a live entry if `predicate(value)` is true, in one transaction.

        Keep the predicate fast: other writers wait while it runs.
        """
        found = self._engine.keyed.delete_if(
            self._space, arguments.key(key), lambda entry: bool(predicate(entry.value))
        )
        return sound(found)

    def delete_if_equal(self, key: str, value: str | float | bool | None) -> bool:
        """Delete a live entry if its value equals this one in value and type: 1 is not 1.0."""
        if not isinstance(value, str | int | float | bool | None):
            raise InvalidInput(f"value must be a scalar, not {type(value).__name__}")
        text = json_value.encode(value)
        return self.delete_if(key, lambda held: json_value.encode(held) == text)

    def update(
        self,
        key: str,
        change: Callable[[Any], Any],
        *,
        default: Any = None,
        ttl: Duration | None = None,
    ) -> Any:
        """Replace a value with `change(value)`, in one transaction; return the value now held.

        `change` gets the live value, or `default` if there is none. If it returns None, the
        entry does not change; return `fencepost.NULL` to store JSON null. Keep it fast: other
        writers wait while it runs.
        """
        key, ttl_ms = arguments.key(key), arguments.ttl(ttl)
        held: Any = None

        def apply(entry: Entry | None) -> Item | None:
            nonlocal held
            held = default if entry is None else entry.value
            changed = change(held)
            if changed is None:
                return None
            held = None if changed is NULL else changed
            return Item(key, json_value.encode(held), ttl_ms)

        sound(self._engine.keyed.update(self._space, key, apply))
        return held

    def entries(self, *, limit: int | None = None) -> list[Entry]:
        """Return live entries, oldest first; damaged ones are moved to quarantine.

        Entries of the same age come in the order of their keys.
        """
        return _whole(self._engine.keyed.entries(self._space, arguments.most(limit)))

    def range(
        self,
        start: str | None = None,
        end: str | None = None,
        *,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[Entry]:
        """Return live entries in the order of their keys, from `start` up to before `end`.

        Keys are compared by code points. Damaged entries are moved to quarantine.

        Args:
            limit: At most this many: the first ones, or the last ones if `descending`.
        """
        found = self._engine.keyed.between(
            self._space,
            "" if start is None else arguments.bound(start, "start"),
            None if end is None else arguments.bound(end, "end"),
            limit=arguments.most(limit),
            descending=descending,
        )
        return _whole(found)

    def count(self) -> int:
        """Count live entries, without reading their values."""
        return self._engine.keyed.count(self._space)

    def capacity(self) -> Namespace | None:
        """Return the recorded options and the number of rows; None if nothing is recorded."""
        return self._engine.keyed.namespace(self._space)

    def clear(self) -> int:
        """Delete all entries, 1,024 rows per transaction; return how many rows.

        An entry that another caller writes under a new key meanwhile stays.
        """
        return self._engine.keyed.clear(self._space)

    def move_from(self, name: str) -> int:
        """Move all entries of another namespace of this owner here, in one transaction.

        Entries keep their age. If a key is live in both namespaces, the entry here stays and
        the other one is deleted. Returns how many were moved.

        Args:
            name: The other namespace.

        Raises:
            InvalidInput: One of the entries has a ttl; nothing was changed.
            LimitExceeded: There are more than 10,000 rows, or a cap here leaves no room;
                nothing was changed.
        """
        if validate.name(name, "namespace") == self.name:
            raise InvalidInput("a namespace cannot be moved to itself")
        return self._engine.keyed.move(self._space, name, most=MOST_KEYS)


def _whole(found: Iterable[Found]) -> list[Entry]:
    return [one for one in found if isinstance(one, Entry)]
