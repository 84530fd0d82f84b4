"""Keyed state: JSON values under keys, with a cap and a ttl."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final, TypeVar

from msgspec import UNSET, UnsetType

from .engine import Engine
from .engine.keyed import Exchanged, Found, Item, Matches, Options, Space
from .errors import FencepostError, ImportFailed, InvalidInput, LimitExceeded, StoreCorrupt
from .naming import verbs
from .types import json_value, validate
from .types.entry import OVERFLOWS, Compared, Entry, Namespace, Observed, Overflow
from .types.tokens import Tokens
from .types.validate import Duration

MOST_KEYS = 10_000  # of one lookup_many, and of one move
MOST_OBSERVED = 512
_BATCH = 500

_T = TypeVar("_T")


class _Null(Enum):
    NULL = "null"


NULL: Final = _Null.NULL
"""Returned by the function given to `Keyed.update` to store JSON null."""


@verbs
class Keyed:
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
            max_entries=_limit(max_entries, "max_entries"),
            ttl_ms=ttl if isinstance(ttl, UnsetType) else _ttl(ttl),
            overflow=_overflow(overflow),
            owner_max_entries=_limit(owner_max_entries, "owner_max_entries"),
        )
        self._engine = engine
        self._space = Space(
            validate.name(owner, "owner"), validate.name(name, "namespace"), options
        )
        if options != Options():
            engine.keyed.open(self._space)

    @property
    def owner(self) -> str:
        """The owner's name."""
        return self._space.owner

    @property
    def name(self) -> str:
        """The namespace's name, unique within its owner."""
        return self._space.name

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
        self._engine.keyed.register(self._space, [_item(key, value, ttl)])

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
                items = [_item(key, value, ttl) for key, value in batch]
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
        return self._engine.keyed.register_if_absent(self._space, _item(key, value, ttl))

    def lookup(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default` if there is none.

        Raises:
            StoreCorrupt: The value is damaged and was moved to quarantine.
        """
        entry = self._entry(_key(key))
        return default if entry is None else entry.value

    def lookup_many(self, keys: Sequence[str], default: Any = None) -> list[Any]:
        """Return the values of at most 10,000 keys, in the order of the keys.

        All are read at one moment. `default` takes the place of a missing entry, and a
        StoreCorrupt object the place of a damaged value.
        """
        keys = list(validate.each(keys, "keys"))
        if len(keys) > MOST_KEYS:
            raise LimitExceeded(f"{len(keys)} keys were given; one call takes {MOST_KEYS}")
        found = self._engine.keyed.find(self._space, [_key(key) for key in keys])
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
        entry = _sound(self._engine.keyed.take(self._space, _key(key)))
        return default if entry is None else entry.value

    def delete(self, key: str) -> bool:
        """Delete a key. True if a row was deleted, even one that had expired already."""
        return self._engine.keyed.delete(self._space, _key(key))

    def delete_if(self, key: str, predicate: Callable[[Any], bool]) -> bool:
        """Delete a live entry if `predicate(value)` is true, in one transaction.

        Keep the predicate fast: other writers wait while it runs.
        """
        found = self._engine.keyed.delete_if(
            self._space, _key(key), lambda entry: bool(predicate(entry.value))
        )
        return _sound(found)

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
        key, ttl_ms = _key(key), _ttl(ttl)
        held: Any = None

        def apply(entry: Entry | None) -> Item | None:
            nonlocal held
            held = default if entry is None else entry.value
            changed = change(held)
            if changed is None:
                return None
            held = None if changed is NULL else changed
            return Item(key, json_value.encode(held), ttl_ms)

        _sound(self._engine.keyed.update(self._space, key, apply))
        return held

    def entries(self, *, limit: int | None = None) -> list[Entry]:
        """Return live entries, oldest first; damaged ones are moved to quarantine.

        Entries of the same age come in the order of their keys.
        """
        return _whole(self._engine.keyed.entries(self._space, _most(limit)))

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
            "" if start is None else _bound(start, "start"),
            None if end is None else _bound(end, "end"),
            limit=_most(limit),
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

    def observe(self, key: str) -> Observed:
        """Return a key's entry with a token for `compare_and_set` or `compare_and_delete`.

        Raises:
            StoreCorrupt: The value is damaged and was moved to quarantine.
        """
        key = _key(key)
        return self._tokens.observed(key, self._entry(key))

    def compare_and_set(
        self, key: str, token: str, value: Any, ttl: Duration | None = None
    ) -> Compared:
        """Register a value, if the entry has not changed since it was observed.

        An entry that has expired since counts as changed. When you repeat the call after
        OutcomeUnknown, a conflict may be with your own value.

        Raises:
            InvalidInput: The token belongs to another key, namespace or store.
            LimitExceeded: As for `register`.
        """
        item = _item(key, value, ttl)
        matches = self._matching(item.key, token)
        found = _sound(self._engine.keyed.replace(self._space, item, matches))
        return self._compared(item.key, found)

    def compare_and_delete(self, key: str, token: str) -> Compared:
        """Delete a key, if its entry has not changed since it was observed.

        Raises:
            InvalidInput: The token belongs to another key, namespace or store.
        """
        key = _key(key)
        matches = self._matching(key, token)
        (found,) = self._engine.keyed.delete_matching(self._space, [(key, matches)])
        return self._compared(key, _sound(found))

    def delete_observed(self, observed: Sequence[Observed]) -> list[bool]:
        """Delete those of at most 512 entries that have not changed since they were observed.

        All in one transaction. Returns, in their order, which of them were deleted.
        """
        observed = list(validate.each(observed, "observed"))
        for one in observed:
            if not isinstance(one, Observed):
                raise InvalidInput(f"observed must be what observe() returned, not {one!r}")
        if len(observed) > MOST_OBSERVED:
            raise LimitExceeded(f"{len(observed)} were given; one call takes {MOST_OBSERVED}")
        keys = [(one.key, self._matching(one.key, one.token)) for one in observed]
        outcomes = self._engine.keyed.delete_matching(self._space, keys)
        return [
            isinstance(outcome, Exchanged) and outcome.status == "applied" for outcome in outcomes
        ]

    def _matching(self, key: str, token: str) -> Matches:
        """Return the question whether a key still holds what a token stands for."""
        tokens = self._tokens
        tokens.check(key, token)
        return lambda entry: tokens.observed(key, entry).token == token

    def _compared(self, key: str, found: Exchanged) -> Compared:
        return Compared(found.status, self._tokens.observed(key, found.entry))

    @property
    def _tokens(self) -> Tokens:
        return Tokens(self._engine.identity.store_id, self.owner, self.name)

    def _entry(self, key: str) -> Entry | None:
        (found,) = self._engine.keyed.find(self._space, [key])
        return _sound(found)


def _whole(found: Iterable[Found]) -> list[Entry]:
    return [one for one in found if isinstance(one, Entry)]


def _sound(found: _T | StoreCorrupt) -> _T:
    if isinstance(found, StoreCorrupt):
        raise found
    return found


def _item(key: object, value: object, ttl: Duration | None) -> Item:
    return Item(_key(key), json_value.encode(value), _ttl(ttl))


def _key(key: object) -> str:
    return validate.key(key.strip() if isinstance(key, str) else key)


def _bound(key: object, what: str) -> str:
    return "" if key == "" else validate.key(key, what)


def _ttl(ttl: Duration | None) -> int | None:
    return None if ttl is None else validate.milliseconds(ttl, "ttl", least=1)


def _most(limit: int | None) -> int | None:
    return None if limit is None else validate.count(limit, "limit")


def _limit(value: int | UnsetType | None, what: str) -> int | UnsetType | None:
    if value is None or isinstance(value, UnsetType):
        return value
    return validate.count(value, what)


def _overflow(overflow: Overflow | UnsetType) -> Overflow | UnsetType:
    if isinstance(overflow, UnsetType) or overflow in OVERFLOWS:
        return overflow
    raise InvalidInput(f"overflow must be one of {', '.join(OVERFLOWS)}, not {overflow!r}")
