"""Named leases: one holder at a time, with a fence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .engine import Engine
from .engine.leases import LeaseInfo, Taken
from .engine.ports.clock import Term
from .errors import FencepostError, LeaseHeld, LeaseLost
from .naming import named, verbs
from .renewal import RenewedLease, certain, insist, new_owner, new_token, renewing
from .rules.failures.jitter import jitter
from .rules.lease_timing import LEAST_RENEWED_MS
from .types import validate
from .types.transaction import Transaction
from .types.validate import Duration

# How long to wait before asking again for a lease that is held.
_FIRST_PAUSE_SECONDS = 0.025
_LAST_PAUSE_SECONDS = 0.25
_GROWTH = 1.5
_JITTER = 0.25


@verbs
class Lease:
    """A named lease that the caller holds, from `store.leases`.

    It ends when its time is up, whether or not another process acquires the name. After that
    it can be neither renewed nor released. In a forked child it is lost.

    Attributes:
        name: The name.
        owner: The owner under which it was acquired.
        fence: A number greater than that of every earlier lease of this name.
        token: The random text that proves, with the fence, that the caller holds it.
        expires_at: Unix seconds on the store's clock.
        displaced: The owner whose lease of this name expired without being released before
            this one; None if there was none. Its work may be half done.
    """

    __slots__ = (
        "_engine",
        "_hold",
        "_local",
        "displaced",
        "expires_at",
        "fence",
        "name",
        "owner",
        "token",
    )

    def __init__(self, engine: Engine, taken: Taken, *, asked_ms: int, ttl_ms: int) -> None:
        hold = taken.hold
        self._engine = engine
        self._hold = hold
        self._local = RenewedLease(
            engine, self._renew, ends_ms=asked_ms + taken.term.lasts_ms, ttl_ms=ttl_ms
        )
        self.name = hold.name
        self.fence = hold.fence
        self.token = hold.token
        self.owner = taken.owner
        self.displaced = taken.displaced
        self.expires_at = taken.term.until_ms / 1000

    def __repr__(self) -> str:
        return f"Lease(name={self.name!r}, owner={self.owner!r}, fence={self.fence})"

    @property
    def lost(self) -> bool:
        """True once the lease may have ended: stop working.

        It becomes true when the store refuses the lease, or when the lease's time is up by
        this machine's stopwatch. That is before another process can acquire the name. A release by
        an operator is only seen at the next renewal.
        """
        return self._local.lost

    def renew(self, ttl: Duration | None = None) -> None:
        """Extend the lease to at least `ttl` seconds from now; it is never shortened.

        Args:
            ttl: Seconds; None for the ttl with which the lease was acquired.

        Raises:
            LeaseLost: The lease has ended; acquire it again.
        """
        ttl_ms = self._local.ttl_ms if ttl is None else validate.milliseconds(ttl, "ttl", least=1)
        self._local.renew(self._engine, ttl_ms)

    def release(self) -> None:
        """End the lease, so that others can acquire the name. A second call does nothing.

        Inside a transaction of the same store it is part of the transaction.

        Raises:
            LeaseLost: The lease has ended already; a newer lease of the name is not changed.
        """
        self._engine.leases.release(self._hold)

    @contextmanager
    def fencing(self, engine: Engine) -> Iterator[Transaction]:
        """See Store.transaction."""
        try:
            with engine.leases.fenced(self._hold) as transaction:
                yield transaction
        except LeaseLost as error:
            self._local.refused |= error.what == repr(self.name)
            raise

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it until the block ends, then release it; see Leases.hold."""
        try:
            with renewing(self._engine, self._local):
                yield
        except BaseException:
            with suppress(FencepostError):  # the lease ends by itself
                insist(self.release)
            raise
        try:
            insist(self.release)
        except LeaseLost:
            raise
        except FencepostError as error:
            if self.lost:
                raise LeaseLost(
                    repr(self.name),
                    cause="expired",
                    operation="release",
                    path=self._engine.identity.address,
                ) from error

    def _renew(self, engine: Engine, ttl_ms: int) -> Term:
        term = engine.leases.renew(self._hold, ttl_ms)
        self.expires_at = max(self.expires_at, term.until_ms / 1000)
        return term


@verbs
class Leases:
    """The named leases of a store, as `store.leases`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def acquire(
        self, name: str, ttl: Duration = 30, owner: str | None = None, wait: Duration = 0
    ) -> Lease:
        """Acquire a name for `ttl` seconds.

        Args:
            owner: Shown as the holder. If the same owner holds the name already, it gets the
                lease again: the fence stays, the earlier token is void, and the lease is not
                shortened. By default each call has a new owner.
            wait: Seconds to keep trying while another owner holds the name.

        Raises:
            LeaseHeld: Another owner holds the name.
            StoreBusy: The write lock was not free in time; nothing was changed.
        """
        return self._acquire(name, validate.milliseconds(ttl, "ttl", least=1), owner, wait)

    def try_acquire(
        self, name: str, ttl: Duration = 30, owner: str | None = None, wait: Duration = 0
    ) -> Lease | None:
        """Acquire a name as `acquire` does; return None if another owner holds it."""
        try:
            return self.acquire(name, ttl, owner, wait)
        except LeaseHeld:
            return None

    @contextmanager
    def hold(
        self, name: str, ttl: Duration = 30, owner: str | None = None, wait: Duration = 0
    ) -> Iterator[Lease]:
        """Hold a name during a `with` block, and release it at the end.

        It acquires the name as `acquire` does, for a `ttl` of at least 1 s. A thread renews
        the lease after a third of `ttl`. If that fails until the time is up, `lease.lost`
        becomes true.

        Raises:
            LeaseHeld: Another owner holds the name; the block did not run.
            LeaseLost: The lease was lost before the end of the block, and the block itself
                raised nothing.
        """
        with named("hold", self._engine.identity.address):
            ttl_ms = validate.milliseconds(ttl, "ttl", least=LEAST_RENEWED_MS)
            lease = self._acquire(name, ttl_ms, owner, wait)
        with lease.kept():
            yield lease

    def list(self, *, limit: int = 1000) -> list[LeaseInfo]:
        """List at most `limit` leases by name.

        An expired lease is listed until its name is acquired again.
        """
        return self._engine.leases.list(validate.count(limit, "limit"))

    def get(self, name: str) -> LeaseInfo | None:
        """Return the lease of a name; None if it was released or never existed."""
        return self._engine.leases.get(validate.key(name, "name"))

    def free(self, name: str) -> bool:
        """End another process's lease; its holder is refused from now on.

        Returns False if the name is not held.
        """
        return self._engine.leases.free(validate.key(name, "name"))

    def _acquire(self, name: str, ttl_ms: int, owner: str | None, wait: Duration) -> Lease:
        validate.key(name, "name")
        owner = new_owner() if owner is None else validate.key(owner, "owner")
        deadline = time.monotonic() + validate.milliseconds(wait, "wait") / 1000
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._ask(name, ttl_ms, owner)
            except LeaseHeld:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
            time.sleep(min(left, pause * jitter.uniform(1 - _JITTER, 1 + _JITTER)))
            pause = min(pause * _GROWTH, _LAST_PAUSE_SECONDS)

    def _ask(self, name: str, ttl_ms: int, owner: str) -> Lease:
        token = new_token()
        asked_ms = self._engine.clock.stopwatch_ms()
        taken = certain(
            lambda: self._engine.leases.acquire(name, owner=owner, token=token, ttl_ms=ttl_ms)
        )
        return Lease(self._engine, taken, asked_ms=asked_ms, ttl_ms=ttl_ms)
