"""Keyed state as it crosses the store's edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Overflow = Literal["evict", "reject"]
OVERFLOWS: tuple[Overflow, ...] = ("evict", "reject")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored under a key.

    Attributes:
        created_at: When it was registered last, in Unix seconds on the store's clock.
        expires_at: When it is gone, None for never.
    """

    key: str
    value: Any
    created_at: float
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What a key held at one moment.

    Attributes:
        entry: None when there was nothing.
        token: Stands for this store, namespace, key, value and times.
    """

    key: str
    entry: Entry | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a change that was to happen only if nothing had changed.

    Attributes:
        status: "applied"; "unchanged", when there was nothing to delete; "conflict", when
            the key no longer held what was observed, and nothing was changed.
        current: What the key holds now, to compare with next.
    """

    status: Literal["applied", "unchanged", "conflict"]
    current: Observed


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of keyed state: its options as recorded, and how full it is.

    Attributes:
        rows: Entries, expired ones included until they are swept; what the cap counts.
        ttl: Seconds, None for ever.
        owner_rows: The rows of all namespaces of this owner.
    """

    owner: str
    name: str
    rows: int
    max_entries: int | None
    ttl: float | None
    overflow: Overflow
    owner_rows: int
    owner_max_entries: int | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something damaged that was set aside.

    Attributes:
        place: Which table and row it was.
        found_at: Unix seconds on the store's clock.
    """

    id: int
    place: str
    why: str
    found_at: float
