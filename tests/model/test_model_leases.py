"""Named leases: held, lost, taken again, and believed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, initialize, invariant, multiple, rule

from fencepost import InvalidInput, Lease, Store
from fencepost.store.engine.leases import NameHold, Taken
from fencepost.store.engine.ports.clock import Term

from ..kits import Effects
from .machine import OPENINGS, Pair, RolledBack, StoreMachine, profile

DAY = 86_400_000

names = st.sampled_from(["deploy", "report"])
owners = st.sampled_from(["one", "two", None])
ttls = st.sampled_from([0.001, 5, 5, 10])


class LeaseMachine(StoreMachine):
    """Leases stay usable for ever: expired, released, void, after a reopening."""

    leases = Bundle("leases")

    @initialize()
    def begin(self) -> None:
        self.last_fence = 0
        self.strangers = 0
        self.effects = Pair(
            Effects(self.stores[0], has_sql=True), Effects(self.plain[0], has_sql=False)
        )

    @rule(target=leases, which=OPENINGS, name=names, owner=owners, ttl=ttls, tries=st.booleans())
    def acquire(
        self, which: int, name: str, owner: str | None, ttl: float, tries: bool
    ) -> MultipleResults[Any]:
        if owner is None:
            self.strangers += 1
            owner = f"stranger {self.strangers}"

        def acquired(store: Store) -> Lease | None:
            if tries:
                return store.leases.try_acquire(name, ttl, owner)
            return store.leases.acquire(name, ttl, owner)

        return self._acquired(self.both(which, acquired))

    @rule(which=OPENINGS, pair=leases, ttl=st.sampled_from([None, 0.001, 5, 10]))
    def renew(self, which: int, pair: Pair, ttl: float | None) -> None:
        self._use(which, pair, lambda lease, _: lease.renew(ttl))

    @rule(which=OPENINGS, pair=leases)
    def release(self, which: int, pair: Pair) -> None:
        self._use(which, pair, lambda lease, _: lease.release())

    @rule(which=OPENINGS, pair=leases)
    def release_and_think_better_of_it(self, which: int, pair: Pair) -> None:
        def released(lease: Lease, store: Store) -> None:
            with store.transaction():
                try:
                    lease.release()
                finally:
                    raise RolledBack

        self._use(which, pair, released)

    @rule(
        which=OPENINGS,
        pair=leases,
        lasts=st.sampled_from([0, 4.999, 5, 10]),
        ends=st.sampled_from(["well", "well", "released", "raises"]),
    )
    def write(self, which: int, pair: Pair, lasts: float, ends: str) -> None:
        """Write under a lease, which may end while the transaction is open."""

        def written(lease: Lease, store: Store) -> None:
            with store.transaction(fence=lease) as tx:
                self.effects.of(store).on(store).write(tx, lease.fence)
                with pytest.raises(InvalidInput):
                    store.leases.try_acquire("other")
                if ends == "released":
                    lease.release()
                self.clock.advance(lasts)
                if ends == "raises":
                    raise RolledBack

        self._use(which, pair, written)

    @rule(
        target=leases,
        which=OPENINGS,
        name=names,
        lasts=st.sampled_from([4.999, 5, 5.001]),
        ends=st.sampled_from(["well", "released"]),
    )
    def write_until_the_end(
        self, which: int, name: str, lasts: float, ends: str
    ) -> MultipleResults[Any]:
        taken = self.acquire(which, name, "one", 5, False)
        for pair in taken.values:
            self.write(which, pair, lasts, ends)
        return taken

    @rule(which=OPENINGS, name=names, owner=owners, lasts=st.sampled_from([0, 60, 90]))
    def hold(self, which: int, name: str, owner: str | None, lasts: float) -> None:
        """The thread would renew it only after half a minute of real time."""

        def held(store: Store) -> tuple[Any, ...]:
            with store.leases.hold(name, ttl=90, owner=owner or "holder") as lease:
                self.clock.advance(lasts)
                return _shown(lease)

        self.same(which, held)

    @rule(which=OPENINGS, name=names)
    def free(self, which: int, name: str) -> None:
        self.same(which, lambda store: store.leases.free(name))

    @rule(seconds=st.sampled_from([DAY / 1000 - 5, DAY / 1000 - 0.001, DAY / 1000]))
    def a_day_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        self.same(which, lambda store: store.sweep())

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        which = self.now % 2
        self.same(which, lambda store: store.leases.list())
        for name in ("deploy", "report"):
            self.same(which, lambda store, name=name: store.leases.get(name))  # type: ignore[misc]
        self.same(0, lambda store: self.effects.of(store).on(store).seen())

    # helpers

    def moments(self) -> list[int]:
        ends = [row.until_ms for row in self.tables.leases.values()]
        return ends + [end + DAY for end in ends]

    def newest(self) -> int:
        return max((row.acquired_ms for row in self.tables.leases.values()), default=0)

    def _acquired(self, both: tuple[Lease | None, Lease | None]) -> MultipleResults[Any]:
        lease, reference = both
        assert (lease is None) is (reference is None)
        if lease is None or reference is None:
            return multiple()
        assert _shown(lease) == _shown(reference)
        return multiple(Pair(lease, reference))

    def _use(self, which: int, pair: Pair, call: Callable[[Lease, Store], object]) -> None:
        """Use a lease, made anew from its proof when its opening is closed or another's."""

        def used(store: Store) -> None:
            call(pair.of(store), store)

        asked_ms = self.clock.boot
        for store in (self.stores[which], self.plain[which]):
            lease = pair.of(store)
            if lease._engine is not store.engine:
                hold = NameHold(lease.name, lease.fence, lease.token)
                until = round(lease.expires_at * 1000)
                term = Term(until, max(0, until - self.now))
                taken = Taken(hold, lease.owner, term, lease.displaced)
                again = Lease(store.engine, taken, asked_ms=asked_ms, ttl_ms=5_000)
                vars(pair)["plain" if store is self.plain[which] else "sqlite"] = again
        self.same(which, used)
        assert _shown(pair.sqlite) == _shown(pair.plain)


def _shown(lease: Lease) -> tuple[Any, ...]:
    facts = lease.name, lease.owner, lease.fence, lease.expires_at, lease.displaced
    return (*facts, lease.lost)


TestLeases = LeaseMachine.TestCase
TestLeases.settings = profile(examples=80, steps=40)
