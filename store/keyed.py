"""Keyed state: JSON values under keys, with a cap and a time to live."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final, TypeVar

from msgspec import UNSET, UnsetType

from .engine import Engine
from .engine.keyed import Found, Item, Options, Space
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
"""What the function given to Keyed.update returns to store JSON null."""


@verbs
class Keyed:
    """A namespace of keyed state. It is made when its options or an entry are first written.

    Keys are trimmed of surrounding whitespace; 1 to 512 bytes of UTF-8 without control
    characters. Values are JSON of at most 1 MiB, nested at most 64 deep; a tuple comes
    back as a list. An entry whose `expires_at` has come is gone for every read.

    Every verb that writes may raise StoreBusy (nothing changed) and OutcomeUnknown, and
    within `store.transaction()` is part of it. One that meets a damaged value sets it
    aside (`store.quarantined()`) and raises StoreCorrupt; the key is free after that.
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
        self._tokens = Tokens(engine.path, owner, name)
        if options != Options():
            engine.keyed.open(self._space)

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self._space.owner

    @property
    def name(self) -> str:
        """The namespace's name, unique for its owner."""
        return self._space.name

    def register(self, key: str, value: Any, ttl: Duration | None = None) -> None:
        """Store a value, over what the key held: value, age and time to live are new.

        Args:
            ttl: Seconds; None is the namespace's own.

        Raises:
            InvalidInput: The key, value or ttl makes no sense, or the namespace has other
                options by now; nothing was changed.
            LimitExceeded: The value is too large; or a cap is reached, the key is new and
                nothing may be evicted. Nothing was changed.
        """
        self._engine.keyed.register(self._space, [_item(key, value, ttl)])

    def register_many(
        self, pairs: Iterable[tuple[str, Any]], *, ttl: Duration | None = None
    ) -> int:
        """Register pairs of key and value, 500 to a transaction; return how many.

        Raises:
            ImportFailed: Its cause is what stopped it. The first `.committed` pairs are
                stored; give it the others to go on, or all again.
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
                path=self._engine.path,
            ) from error
        return committed

    def register_if_absent(self, key: str, value: Any, ttl: Duration | None = None) -> bool:
        """Store a value unless the key holds a live one, which is left as it is.

        Of many callers at once exactly one gets True. After OutcomeUnknown, False may
        mean that one's own call was the one.

        Raises:
            InvalidInput, LimitExceeded: As for `register`.
        """
        return self._engine.keyed.register_if_absent(self._space, _item(key, value, ttl))

    def lookup(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, `default` when there is none.

        Raises:
            StoreCorrupt: The value is damaged and was set aside.
        """
        entry = self._entry(_key(key))
        return default if entry is None else entry.value

    def lookup_many(self, keys: Sequence[str], default: Any = None) -> list[Any]:
        """Return the values of at most 10,000 keys in their order, as of one moment.

        `default` stands for a key that holds nothing, a StoreCorrupt for a damaged value.
        """
        keys = list(validate.each(keys, "keys"))
        if len(keys) > MOST_KEYS:
            raise LimitExceeded(f"{len(keys)} keys are over the {MOST_KEYS} of one call")
        found = self._engine.keyed.find(self._space, [_key(key) for key in keys])
        return [
            default if one is None else one.value if isinstance(one, Entry) else one
            for one in found
        ]

    def consume(self, key: str, default: Any = None) -> Any:
        """Delete a key and return its value, `default` when there is none.

        Of many callers at once one gets the value. After OutcomeUnknown it may be gone.

        Raises:
            StoreCorrupt: The value is damaged and was set aside.
        """
        entry = _sound(self._engine.keyed.take(self._space, _key(key)))
        return default if entry is None else entry.value

    def delete(self, key: str) -> bool:
        """Delete a key; True also for an entry that has expired and was still there."""
        return self._engine.keyed.delete(self._space, _key(key))

    def delete_if(self, key: str, predicate: Callable[[Any], bool]) -> bool:
        """Delete a live entry if `predicate` is true of its value, in one transaction.

        The predicate runs under the write lock: let it be quick.
        """
        key = _key(key)
        with self._engine.transaction("delete_if"):
            found = self._find(key)
            if found is None:
                return False
            if isinstance(found, Entry):
                return bool(predicate(found.value)) and self._engine.keyed.delete(self._space, key)
        raise found

    def delete_if_equal(self, key: str, value: str | float | bool | None) -> bool:
        """Delete a live entry if its value is this one, of the same type: 1 is not 1.0."""
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
        """Register what `change` makes of the value, in one transaction; return what is held.

        `change` is given the live value, or `default`. It runs under the write lock: let
        it be quick. If it returns None the entry is left as it is, so a function that
        returns nothing loses nothing; `fencepost.NULL` stores JSON null.
        """
        key = _key(key)
        with self._engine.transaction("update"):
            found = self._find(key)
            if not isinstance(found, StoreCorrupt):
                held = default if found is None else found.value
                changed = change(held)
                if changed is None:
                    return held
                changed = None if changed is NULL else changed
                self.register(key, changed, ttl)
                return changed
        raise found

    def entries(self, *, limit: int | None = None) -> list[Entry]:
        """Return live entries, oldest first, then by key; damaged ones are set aside."""
        return _whole(self._engine.keyed.entries(self._space, _most(limit)))

    def range(
        self,
        start: str | None = None,
        end: str | None = None,
        *,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[Entry]:
        """Return live entries by key, from `start` up to but not including `end`.

        Keys are in the order of their code points. Damaged entries are set aside.

        Args:
            limit: At most so many: the first ones, or the last ones if `descending`.
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
        """Count live entries; no value is read."""
        return self._engine.keyed.count(self._space)

    def capacity(self) -> Namespace | None:
        """Return rows, caps and options as recorded, None while nothing is recorded."""
        return self._engine.keyed.namespace(self._space)

    def clear(self) -> int:
        """Delete what is there now, 1,024 rows to a transaction; return how many rows.

        What is written meanwhile under a new key stays.
        """
        return self._engine.keyed.clear(self._space)

    def move_from(self, name: str) -> int:
        """Take over all entries of another namespace of this owner, ages included.

        In one transaction. A key that is live here keeps what it holds here, and the
        other's is dropped. Returns how many were moved.

        Raises:
            InvalidInput: One of them has a time to live; nothing was changed.
            LimitExceeded: They are over 10,000 rows, or there is no room; nothing was
                changed.
        """
        if validate.name(name, "namespace") == self.name:
            raise InvalidInput("a namespace cannot be moved to itself")
        return self._engine.keyed.move(self._space, name, most=MOST_KEYS)

    def observe(self, key: str) -> Observed:
        """Return what a key holds, with the token that a comparison takes.

        Raises:
            StoreCorrupt: The value is damaged and was set aside.
        """
        key = _key(key)
        return self._tokens.observed(key, self._entry(key))

    def compare_and_set(
        self, key: str, token: str, value: Any, ttl: Duration | None = None
    ) -> Compared:
        """Register a value if the key still holds what was observed.

        An entry that has expired since is a conflict. After OutcomeUnknown a conflict
        may be with one's own value.

        Raises:
            InvalidInput: The token is of another key, namespace or store.
            LimitExceeded: As for `register`.
        """
        item = _item(key, value, ttl)

        def apply() -> bool:
            self._engine.keyed.register(self._space, [item])
            return True

        return _sound(self._compare("compare_and_set", item.key, token, apply))

    def compare_and_delete(self, key: str, token: str) -> Compared:
        """Delete a key if it still holds what was observed.

        Raises:
            InvalidInput: The token is of another key, namespace or store.
        """
        return _sound(self._compare_and_delete(_key(key), token))

    def delete_observed(self, observed: Sequence[Observed]) -> list[bool]:
        """Delete at most 512 entries that are as they were observed, in one transaction.

        Returns, in their order, which of them were deleted.
        """
        observed = list(validate.each(observed, "observed"))
        for one in observed:
            if not isinstance(one, Observed):
                raise InvalidInput(f"observed must be what observe() returned, not {one!r}")
        if len(observed) > MOST_OBSERVED:
            raise LimitExceeded(f"{len(observed)} are over the {MOST_OBSERVED} of one call")
        with self._engine.transaction("delete_observed"):
            outcomes = [self._compare_and_delete(one.key, one.token) for one in observed]
        return [
            isinstance(outcome, Compared) and outcome.status == "applied" for outcome in outcomes
        ]

    def _compare_and_delete(self, key: str, token: str) -> Compared | StoreCorrupt:
        def apply() -> bool:
            # Without a live entry there is nothing to delete but what has expired.
            return self._find(key) is not None and self._engine.keyed.delete(self._space, key)

        return self._compare("compare_and_delete", key, token, apply)

    def _compare(
        self, operation: str, key: str, token: str, apply: Callable[[], bool]
    ) -> Compared | StoreCorrupt:
        self._tokens.check(key, token)
        with self._engine.transaction(operation):
            found = self._find(key)
            if isinstance(found, StoreCorrupt):
                return found
            current = self._tokens.observed(key, found)
            if current.token != token:
                return Compared("conflict", current)
            changed = apply()
            current = self._tokens.observed(key, self._entry(key))
            return Compared("applied" if changed else "unchanged", current)

    def _find(self, key: str) -> Found | None:
        (found,) = self._engine.keyed.find(self._space, [key])
        return found

    def _entry(self, key: str) -> Entry | None:
        return _sound(self._find(key))


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
