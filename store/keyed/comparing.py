"""Keyed state: entries that are changed only while they are as they were observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ..engine import Engine
from ..engine.keyed import Exchanged, Item, Matches, Space
from ..errors import InvalidInput, LimitExceeded, StoreCorrupt
from ..naming import verbs
from ..types import validate
from ..types.content import json_value
from ..types.keyed.compare_tokens import Tokens
from ..types.keyed.entry import Compared, Entry, Observed
from ..types.validate import Duration
from . import arguments

MOST_OBSERVED = 512

_T = TypeVar("_T")


@verbs
class Comparing:
    """The part of a namespace that compares before it changes."""

    def __init__(self, engine: Engine, space: Space) -> None:
        self._engine = engine
        self._space = space

    @property
    def owner(self) -> str:
        """The owner's name."""
        return self._space.owner

    @property
    def name(self) -> str:
        """The namespace's name, unique within its owner."""
        return self._space.name

    def observe(self, key: str) -> Observed:
        """Return a key's entry with a token for `compare_and_set` or `compare_and_delete`.

        Raises:
            StoreCorrupt: The value is damaged and was moved to quarantine.
        """
        key = arguments.key(key)
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
        item = new_item(key, value, ttl)
        matches = self._matching(item.key, token)
        found = sound(self._engine.keyed.replace(self._space, item, matches))
        return self._compared(item.key, found)

    def compare_and_delete(self, key: str, token: str) -> Compared:
        """Delete a key, if its entry has not changed since it was observed.

        Raises:
            InvalidInput: The token belongs to another key, namespace or store.
        """
        key = arguments.key(key)
        matches = self._matching(key, token)
        (found,) = self._engine.keyed.delete_matching(self._space, [(key, matches)])
        return self._compared(key, sound(found))

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
        return sound(found)


def sound(found: _T | StoreCorrupt) -> _T:
    if isinstance(found, StoreCorrupt):
        raise found
    return found


def new_item(key: object, value: object, ttl: Duration | None) -> Item:
    return Item(arguments.key(key), json_value.encode(value), arguments.ttl(ttl))
