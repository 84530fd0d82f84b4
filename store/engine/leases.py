"""The contract for named leases."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ..types.transaction import Transaction


@dataclass(frozen=True, slots=True)
class NameHold:
    """What proves a lease: the name, its fence, its token."""

    name: str
    fence: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Displaced:
    """Whose lease had lapsed, and was not released, when another took its place.

    Attributes:
        expired_at: Unix seconds on the store's clock; 0 when a reboot ended it.
    """

    owner: str
    fence: int
    expired_at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease as acquired."""

    hold: NameHold
    owner: str
    until_ms: int
    displaced: Displaced | None


@dataclass(frozen=True, slots=True)
class LeaseInfo:
    """A named lease in a list; times are Unix seconds on the store's clock.

    Attributes:
        live: False once it has expired. It is listed until its name is acquired again.
    """

    name: str
    owner: str
    fence: int
    acquired_at: float
    expires_at: float
    live: bool


class NamedLeases(Protocol):
    """What a database does for named leases."""

    def acquire(self, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        """Lease the name to `owner`, with a new fence unless it holds the lease already.

        A second call with the same token is the first one again. Raises LeaseHeld.
        """
        ...

    def renew(self, hold: NameHold, ttl_ms: int) -> int:
        """Return the new expiry in milliseconds: `ttl_ms` from now, or the old one if later."""
        ...

    def fenced(self, hold: NameHold) -> AbstractContextManager[Transaction]:
        """Hold a transaction that commits only if the lease has lasted until then."""
        ...

    def release(self, hold: NameHold) -> None:
        """Free the name; a second call with the same token changes nothing."""
        ...

    def free(self, name: str) -> bool:
        """End whoever's lease it is; False when it is not live."""
        ...

    def get(self, name: str) -> LeaseInfo | None:
        """Return the lease, live or expired; None when it was released or never was."""
        ...

    def list(self, limit: int) -> list[LeaseInfo]:
        """Return at most `limit` leases that were not released, by name."""
        ...
