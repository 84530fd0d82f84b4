"""The contract for named leases."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..types.transaction import Transaction
from .ports.clock import Term

if TYPE_CHECKING:
    from .once import OnceVerbs


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
        expired_at: Unix seconds on the store's clock; 0 when the end of its holder ended it.
    """

    owner: str
    fence: int
    expired_at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease as acquired."""

    hold: NameHold
    owner: str
    term: Term
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


class LeaseVerbs(Protocol):
    """What a database does for named leases.

    A verb that takes a NameHold raises LeaseLost, and changes nothing, once the lease has
    expired, was released, or another has the name.
    """

    @property
    def once(self) -> OnceVerbs:
        """The two-phase claims of keys."""
        ...

    def acquire(self, name: str, *, owner: str, token: str, ttl_ms: int) -> Taken:
        """Lease the name to `owner`, with a new fence unless it holds the lease already.

        A second call with the same token is the first one again.

        Joins: no.

        Raises:
            LeaseHeld: Another owner holds it.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def renew(self, hold: NameHold, ttl_ms: int) -> Term:
        """Let the lease end no sooner than `ttl_ms` from now.

        Joins: no.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def fenced(self, hold: NameHold) -> AbstractContextManager[Transaction]:
        """Hold a transaction that commits only if the lease has lasted until then.

        Joins: no.

        Raises:
            LeaseLost: At its beginning or at its end; nothing was written.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def release(self, hold: NameHold) -> None:
        """Free the name; a second call with the same token changes nothing.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def free(self, name: str) -> bool:
        """End the lease of a name, whoever has it; False when it is not live.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def get(self, name: str) -> LeaseInfo | None:
        """Return the lease, live or expired; None when it was released or never was.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def list(self, limit: int) -> list[LeaseInfo]:
        """Return at most `limit` leases that were not released, by name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...
