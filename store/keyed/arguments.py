"""What callers give to keyed state, checked at the edge: keys, bounds, times to live, caps."""

from __future__ import annotations

from msgspec import UnsetType

from ..errors import InvalidInput
from ..types import validate
from ..types.keyed.entry import OVERFLOWS, Overflow
from ..types.validate import Duration


def key(key: object) -> str:
    """Return a key without the whitespace around it."""
    return validate.key(key.strip() if isinstance(key, str) else key)


def bound(key: object, what: str) -> str:
    """Return a bound of a range of keys; "" is before every key."""
    return "" if key == "" else validate.key(key, what)


def ttl(ttl: Duration | None) -> int | None:
    """Return a time to live in milliseconds; None is that of the namespace."""
    return None if ttl is None else validate.milliseconds(ttl, "ttl", least=1)


def most(limit: int | None) -> int | None:
    """Return how many at most; None for all."""
    return None if limit is None else validate.count(limit, "limit")


def limit(value: int | UnsetType | None, what: str) -> int | UnsetType | None:
    """Return a cap; None is none, UNSET is what is recorded."""
    if value is None or isinstance(value, UnsetType):
        return value
    return validate.count(value, what)


def overflow(overflow: Overflow | UnsetType) -> Overflow | UnsetType:
    """Return what a namespace does at its cap."""
    if isinstance(overflow, UnsetType) or overflow in OVERFLOWS:
        return overflow
    raise InvalidInput(f"overflow must be one of {', '.join(OVERFLOWS)}, not {overflow!r}")
