"""Values of keyed state: entries, observations, namespaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Overflow = Literal["evict", "reject"]
OVERFLOWS: tuple[Overflow, ...] = ("evict", "reject")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored under a key.

    Attributes:
        created_at: When it was last registered, in Unix seconds on the store's clock.
        expires_at: When it expires, in the same seconds; None for never.
    """

    key: str
    value: Any
    created_at: float
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What a key held at one moment.

    Attributes:
        entry: None if the key had no live entry.
        token: Pass it to `compare_and_set` or `compare_and_delete`. It is valid for this
            store, namespace and key.
    """

    key: str
    entry: Entry | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome of a comparison.

    Attributes:
        status: "applied"; "unchanged" if there was nothing to delete; "conflict" if the
            entry has changed since it was observed, and nothing was done.
        current: What the key holds now, with a token for the next comparison.
    """

    status: Literal["applied", "unchanged", "conflict"]
    current: Observed


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of keyed state: its recorded options, and how full it is.

    Attributes:
        rows: Stored entries, including expired ones that are not swept yet. The cap counts
            these.
        ttl: Seconds; None if entries do not expire.
        owner_rows: The rows of all namespaces of this owner together.
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
    """A damaged row that was moved to quarantine.

    Attributes:
        place: The table and row where it was.
        why: What is wrong with it.
        found_at: Unix seconds on the store's clock.
    """

    id: int
    place: str
    why: str
    found_at: float
