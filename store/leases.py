"""Named leases: one holder at a time, and a fence that refuses all who held it before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .engine import Engine
from .engine.leases import LeaseInfo, Taken
from .errors import FencepostError, LeaseHeld, LeaseLost
from .naming import named, verbs
from .renewal import Tenure, certain, insist, new_owner, new_token, renewing
from .rules.jitter import jitter
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
    """A name that is the caller's for a time.

    It ends when its time is up, whether or not another takes the name, and after that it
    can be neither renewed nor released. It is of no use in a forked child.

    Attributes:
        fence: Greater than that of every lease before it, of any name of the store.
        expires_at: Unix seconds on the store's clock.
        displaced: Whose lease of this name had lapsed, None when nobody's had.
    """

    __slots__ = (
        "_engine",
        "_hold",
        "_tenure",
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
        self._tenure = Tenure(
            engine,
            self._renew,
            asked_ms=asked_ms,
            ttl_ms=ttl_ms,
        )
        self.name = hold.name
        self.fence = hold.fence
        self.token = hold.token
        self.owner = taken.owner
        self.displaced = taken.displaced
        self.expires_at = taken.until_ms / 1000

    def __repr__(self) -> str:
        return f"Lease(name={self.name!r}, owner={self.owner!r}, fence={self.fence})"

    @property
    def lost(self) -> bool:
        """True once nobody here may believe in the lease: stop.

        That is when the store has refused it, or its time is up by the store's clock,
        which is before anybody else can have it. Only an operator's release is seen later.
        """
        return self._tenure.lost

    def renew(self, ttl: Duration | None = None) -> None:
        """Let the lease end no sooner than `ttl` seconds from now; as at first when left out.

        Raises:
            LeaseLost: It has ended; acquire it anew.
        """
        ttl_ms = self._tenure.ttl_ms if ttl is None else validate.milliseconds(ttl, "ttl", least=1)
        self._tenure.renew(self._engine, ttl_ms)

    def release(self) -> None:
        """Free the name for others; twice is as good as once.

        Within a transaction of the same store it is part of that.

        Raises:
            LeaseLost: It had ended before; whoever holds it now is left alone.
        """
        self._engine.leases.release(self._hold)

    @contextmanager
    def fencing(self, engine: Engine) -> Iterator[Transaction]:
        """See Store.transaction."""
        try:
            with engine.leases.fenced(self._hold) as transaction:
                yield transaction
        except LeaseLost as error:
            self._tenure.refused |= error.what == repr(self.name)
            raise

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it until the block ends, then release it; see Leases.hold."""
        try:
            with renewing(self._engine, self._tenure):
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
                    path=self._engine.path,
                ) from error

    def _renew(self, engine: Engine, ttl_ms: int) -> int:
        until_ms = engine.leases.renew(self._hold, ttl_ms)
        self.expires_at = max(self.expires_at, until_ms / 1000)
        return until_ms


@verbs
class Leases:
    """The named leases of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def acquire(
        self, name: str, ttl: Duration = 30, owner: str | None = None, wait: Duration = 0
    ) -> Lease:
        """Take the name for `ttl` seconds.

        Args:
            owner: Who will be shown as the holder. Whoever holds the name under the same
                owner gets it again, with the same fence: the token that it had is void,
                and the lease ends no sooner than before. By default it is new each time.
            wait: Seconds to go on trying while somebody else holds it.

        Raises:
            LeaseHeld: Somebody else holds it.
            StoreBusy: Nothing was changed.
        """
        return self._acquire(name, validate.milliseconds(ttl, "ttl", least=1), owner, wait)

    def try_acquire(
        self, name: str, ttl: Duration = 30, owner: str | None = None, wait: Duration = 0
    ) -> Lease | None:
        """Take the name like `acquire`; None when somebody else holds it."""
        try:
            return self.acquire(name, ttl, owner, wait)
        except LeaseHeld:
            return None

    @contextmanager
    def hold(
        self, name: str, ttl: Duration = 30, owner: str | None = None, wait: Duration = 0
    ) -> Iterator[Lease]:
        """Hold the name for as long as the block takes, and release it then.

        Acquires it like `acquire`, for at least 1 s. A thread renews it at a third of
        `ttl`; `lease.lost` turns true when it cannot.

        Raises:
            LeaseHeld: Somebody else holds it; the block did not run.
            LeaseLost: It was lost before the block ended, and the block raised nothing.
        """
        with named("hold", self._engine.path):
            ttl_ms = validate.milliseconds(ttl, "ttl", least=LEAST_RENEWED_MS)
            lease = self._acquire(name, ttl_ms, owner, wait)
        with lease.kept():
            yield lease

    def list(self, *, limit: int = 1000) -> list[LeaseInfo]:
        """List at most `limit` leases by name, expired ones too until their name is taken."""
        return self._engine.leases.list(validate.count(limit, "limit"))

    def get(self, name: str) -> LeaseInfo | None:
        """Return the lease of a name; None when it was released or there never was one."""
        return self._engine.leases.get(validate.key(name, "name"))

    def free(self, name: str) -> bool:
        """End somebody's lease, so that the store refuses its holder from now on.

        False when nobody holds it.
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
        asked_ms = self._engine.now_ms()
        taken = certain(
            lambda: self._engine.leases.acquire(name, owner=owner, token=token, ttl_ms=ttl_ms)
        )
        return Lease(self._engine, taken, asked_ms=asked_ms, ttl_ms=ttl_ms)
