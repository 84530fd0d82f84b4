"""Tokens for compare_and_set and compare_and_delete."""

from __future__ import annotations

import hashlib

from ...errors import InvalidInput
from ..content import json_value
from .entry import Entry, Observed

_VERSION = "1"
_NOTHING = "-"


class Tokens:
    """The tokens of one namespace in one store."""

    def __init__(self, store_id: str, owner: str, name: str) -> None:
        self._place = _digest(store_id, owner, name)
        self._called = f"{owner}/{name}"

    def observed(self, key: str, entry: Entry | None) -> Observed:
        """Return what a key holds, with its token."""
        state = _NOTHING
        if entry is not None:
            times = f"{entry.created_at!r} {entry.expires_at!r}"
            state = _digest(json_value.encode(entry.value), times)
        return Observed(key, entry, self._prefix(key) + state)

    def check(self, key: str, token: object) -> None:
        """Refuse what is no token of this key, here.

        Raises:
            InvalidInput: It is of another key, namespace or store, or none at all.
        """
        if not isinstance(token, str) or not token.startswith(self._prefix(key)):
            raise InvalidInput(f"the token was not issued for {key!r} in {self._called}")

    def _prefix(self, key: str) -> str:
        return f"{_VERSION}:{_digest(self._place, key)}:"


def _digest(*parts: str) -> str:
    # None of the parts holds a NUL: not a store id, a name, a key or JSON text.
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
