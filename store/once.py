"""Claims of keys: work done once per key, with a stored result."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from .claim import encode_result
from .engine import Engine
from .engine.leases import Displaced
from .engine.once import Claimed, Completed, InWork, KeyHold
from .engine.ports.clock import Term
from .errors import InvalidInput, StoreCorrupt
from .naming import verbs
from .renewal import RenewedLease, certain, new_owner, new_token
from .types import validate
from .types.content.json_value import decode
from .types.validate import Duration


@verbs
class Once:
    """The answer to `Store.once`.

    One of three: `claimed` is true, and the caller must do the work; `done` is true, and
    `result` is the result of the work; or both are false, and `holder` is doing the work.

    Attributes:
        claimed: The caller has the key; call `complete` or `release`.
        done: The work was done before.
        result: The stored result, if `done`.
        holder: The owner that has the key; None if `claimed` or `done`.
        expires_at: When the lease expires, in Unix seconds on the store's clock.
        retry_after: Seconds until the holder's lease expires, unless it is renewed.
        fence: A number greater than that of every earlier claim of this key; None unless
            `claimed`.
        displaced: The claim that expired without being completed or released before this
            one; None if there was none. Its work may be half done.
    """

    __slots__ = (
        "_engine",
        "_hold",
        "_keep_ms",
        "_local",
        "claimed",
        "displaced",
        "done",
        "expires_at",
        "fence",
        "holder",
        "key",
        "namespace",
        "result",
        "retry_after",
    )

    def __init__(
        self,
        engine: Engine,
        namespace: str,
        key: str,
        found: Claimed | InWork | Completed,
        *,
        asked_ms: int,
        lease_ms: int,
        keep_ms: int,
    ) -> None:
        self._engine = engine
        self._keep_ms = keep_ms
        self._hold: KeyHold | None = None
        lasts_ms = found.term.lasts_ms if isinstance(found, Claimed) else 0
        self._local = RenewedLease(
            engine, self._renew, ends_ms=asked_ms + lasts_ms, ttl_ms=lease_ms
        )
        self.namespace = namespace
        self.key = key
        self.claimed = isinstance(found, Claimed)
        self.done = isinstance(found, Completed)
        self.result: Any = None
        self.holder: str | None = None
        self.expires_at = 0.0
        self.retry_after = 0.0
        self.fence: int | None = None
        self.displaced: Displaced | None = None
        match found:
            case Claimed(hold, term, displaced):
                self._hold = hold
                self.fence = hold.fence
                self.expires_at = term.until_ms / 1000
                self.displaced = displaced
            case InWork(holder, expires_at_ms, now_ms):
                self.holder = holder
                self.expires_at = expires_at_ms / 1000
                self.retry_after = (expires_at_ms - now_ms) / 1000
            case Completed(bytes(result)):
                try:
                    self.result = decode(result)
                except ValueError as error:
                    raise StoreCorrupt(
                        f"the result of key {key!r} of {namespace} is damaged: {error}",
                        operation="once",
                        path=engine.identity.address,
                    ) from error

    @classmethod
    def claim(
        cls,
        engine: Engine,
        namespace: str,
        key: str,
        *,
        lease: Duration,
        keep_for: Duration,
        payload: bytes | None,
        aliases: Collection[str],
    ) -> Once:
        """See Store.once."""
        validate.name(namespace, "namespace")
        validate.key(key)
        if isinstance(aliases, str) or not isinstance(aliases, Collection):
            raise InvalidInput(f"aliases must be a collection of keys, not {aliases!r}")
        keys = tuple(dict.fromkeys((key, *(validate.key(alias, "alias") for alias in aliases))))
        lease_ms = validate.milliseconds(lease, "lease", least=1)
        keep_ms = validate.milliseconds(keep_for, "keep_for", least=1)
        if payload is not None and not isinstance(payload, bytes | bytearray | memoryview):
            raise InvalidInput(f"payload must be bytes, not {type(payload).__name__}")
        sha256 = None if payload is None else hashlib.sha256(payload).digest()
        holder, token = new_owner(), new_token()
        asked_ms = engine.clock.stopwatch_ms()
        found = certain(
            lambda: engine.leases.once.claim(
                namespace,
                keys,
                holder=holder,
                token=token,
                lease_ms=lease_ms,
                payload_sha256=sha256,
            )
        )
        return cls(
            engine,
            namespace,
            key,
            found,
            asked_ms=asked_ms,
            lease_ms=lease_ms,
            keep_ms=keep_ms,
        )

    def __repr__(self) -> str:
        standing = "claimed" if self.claimed else "done" if self.done else "in work"
        return f"Once({self.namespace!r}, {self.key!r}, {standing})"

    @property
    def local_lease(self) -> RenewedLease:
        """What this process may believe of the claim."""
        return self._local

    @property
    def lost(self) -> bool:
        """True once another may have claimed the key."""
        return not self.claimed or self._local.lost

    def complete(self, result: Any = None) -> None:
        """Record the key as done, with a JSON result. A second call does nothing.

        It works after the lease has expired too, as long as no other caller has claimed the
        key. Inside a transaction of the same store it is part of the transaction: your
        writes and the completion commit together, or neither does.

        Raises:
            InvalidInput: The result is not JSON; the claim still holds.
            LimitExceeded: The result is over 25 MiB; the claim still holds.
            LeaseLost: Another caller has claimed the key; drop the result.
        """
        encoded = encode_result(result, "complete")
        self._engine.leases.once.complete(self._claim(), encoded, self._keep_ms)

    def release(self) -> None:
        """Give up the claim, so that the key is free at once. A second call does nothing.

        Raises:
            LeaseLost: Another caller has claimed the key, or it was completed.
        """
        self._engine.leases.once.release(self._claim())

    def renew(self, lease: Duration | None = None) -> None:
        """Extend the lease to at least `lease` seconds from now; it is never shortened.

        Args:
            lease: Seconds; None for the lease with which the key was claimed.

        Raises:
            LeaseLost: The lease has ended.
        """
        lease_ms = (
            self._local.ttl_ms if lease is None else validate.milliseconds(lease, "lease", least=1)
        )
        self._local.renew(self._engine, lease_ms)

    def _claim(self) -> KeyHold:
        if self._hold is None:
            raise InvalidInput(f"key {self.key!r} of {self.namespace} is not claimed by this call")
        return self._hold

    def _renew(self, engine: Engine, lease_ms: int) -> Term:
        term = engine.leases.once.renew(self._claim(), lease_ms)
        self.expires_at = max(self.expires_at, term.until_ms / 1000)
        return term
