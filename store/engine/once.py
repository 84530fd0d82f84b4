"""The contract for claims of keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .leases import Displaced
from .ports.clock import Term


@dataclass(frozen=True, slots=True)
class KeyHold:
    """What proves a claim of keys: which they are, its fence, its token."""

    namespace: str
    keys: tuple[str, ...]
    fence: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The keys are the caller's to work on."""

    hold: KeyHold
    term: Term
    displaced: Displaced | None


@dataclass(frozen=True, slots=True)
class InWork:
    """Somebody else is at one of the keys."""

    holder: str
    expires_at_ms: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Completed:
    """One of the keys was completed before.

    Attributes:
        result: JSON text in UTF-8, unless it is damaged.
    """

    result: bytes | None


class OnceVerbs(Protocol):
    """What a database does for claims of keys.

    A verb that takes a KeyHold raises LeaseLost, and changes nothing, once another has
    claimed one of the keys. But for `renew`, a claim holds past its expiry until then.
    """

    def claim(
        self,
        namespace: str,
        keys: Sequence[str],
        *,
        holder: str,
        token: str,
        lease_ms: int,
        payload_sha256: bytes | None,
    ) -> Claimed | InWork | Completed:
        """Claim all the keys, or say why one of them is not free, in one transaction.

        A second call with the same token is the first one again.

        Joins: no.

        Raises:
            KeyConflict: A key is known with another payload.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def renew(self, hold: KeyHold, lease_ms: int) -> Term:
        """Let the lease end no sooner than `lease_ms` from now.

        Joins: no.

        Raises:
            LeaseLost: Also when it has expired.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def complete(self, hold: KeyHold, result: str | None, keep_ms: int) -> None:
        """Remember the keys as done for `keep_ms`; a second call changes nothing.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def release(self, hold: KeyHold) -> None:
        """Forget the claim; a second call changes nothing.

        Joins: yes.

        Raises:
            LeaseLost.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
