"""Named leases against their model: held, lost, taken again, and believed in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, initialize, invariant, multiple, rule

from fencepost import InvalidInput, Lease
from fencepost.store.engine.clock import Term
from fencepost.store.engine.leases import NameHold, Taken

from ..sqlite.inside import ask
from .leases_model import DAY, Leases, Tenant
from .machine import OPENINGS, Refused, RolledBack, StoreMachine, agree, profile

names = st.sampled_from(["deploy", "report"])
owners = st.sampled_from(["one", "two", None])
ttls = st.sampled_from([1, 5_000, 5_000, 10_000])


class LeaseMachine(StoreMachine):
    """Leases stay usable for ever: expired, released, void, after a reopening."""

    leases = Bundle("leases")

    @initialize()
    def make_a_table(self) -> None:
        self.model = Leases()
        self.last_fence = 0
        self.strangers = 0
        self.effects: list[int] = []
        with self.stores[0].transaction() as tx:
            tx.execute("create table effects (fence integer)")

    @rule(target=leases, which=OPENINGS, name=names, owner=owners, ttl=ttls, tries=st.booleans())
    def acquire(
        self, which: int, name: str, owner: str | None, ttl: int, tries: bool
    ) -> MultipleResults[Any]:
        leases = self.stores[which].leases
        if owner is None:
            self.strangers += 1
            owner = f"stranger {self.strangers}"
        if tries:
            try:
                wanted = self.model.acquire(name, owner, ttl, self.now)
            except Refused:
                assert leases.try_acquire(name, ttl / 1000, owner) is None
                return multiple()
            lease = leases.try_acquire(name, ttl / 1000, owner)
        else:
            found, lease = agree(
                lambda: self.model.acquire(name, owner, ttl, self.now),
                lambda: leases.acquire(name, ttl=ttl / 1000, owner=owner),
            )
            if found is None:
                return multiple()
            wanted = found
        assert lease is not None
        assert lease.owner == owner
        return self._acquired(wanted, lease)

    def _acquired(
        self, wanted: tuple[Tenant, Tenant | None, Any], lease: Lease
    ) -> MultipleResults[Any]:
        tenant, known, displaced = wanted
        if known is None:
            assert lease.fence > self.last_fence
            self.last_fence = lease.fence
        else:
            assert lease.fence == known.fence
        tenant.fence = lease.fence
        assert (lease.name, lease.expires_at) == (tenant.name, tenant.until / 1000)
        found = lease.displaced
        assert (found and (found.owner, found.fence, found.expired_at)) == displaced
        assert lease.lost is tenant.lost(self.now)
        return multiple((tenant, [lease]))

    @rule(which=OPENINGS, pair=leases, ttl=st.sampled_from([None, 1, 5_000, 10_000]))
    def renew(self, which: int, pair: Any, ttl: int | None) -> None:
        tenant, lease = self._used(which, pair)
        agree(
            lambda: self.model.renew(tenant, ttl, self.now),
            lambda: lease.renew(None if ttl is None else ttl / 1000),
        )
        assert lease.expires_at == tenant.until / 1000
        assert lease.lost is tenant.lost(self.now)

    @rule(which=OPENINGS, pair=leases)
    def release(self, which: int, pair: Any) -> None:
        tenant, lease = self._used(which, pair)
        agree(lambda: self.model.release(tenant, self.now), lease.release)

    @rule(which=OPENINGS, pair=leases)
    def release_and_think_better_of_it(self, which: int, pair: Any) -> None:
        _, lease = self._used(which, pair)
        with pytest.raises(RolledBack), self.stores[which].transaction():
            try:
                lease.release()
            finally:
                raise RolledBack

    @rule(
        which=OPENINGS,
        pair=leases,
        lasts=st.sampled_from([0, 4.999, 5, 10]),
        ends=st.sampled_from(["well", "well", "released", "raises"]),
    )
    def write(self, which: int, pair: Any, lasts: float, ends: str) -> None:
        """Write under a lease, which may end while the transaction is open."""
        tenant, lease = self._used(which, pair)
        done = False

        def modelled() -> None:
            try:
                self.model.require(tenant, self.now)
                if ends == "released":
                    self.model.release(tenant, self.now)
                elif ends == "well":
                    self.model.require(tenant, self.now + round(lasts * 1000))
            except Refused:
                tenant.refused = True
                raise

        def stored() -> None:
            nonlocal done
            with self.stores[which].transaction(fence=lease) as tx:
                tx.execute("insert into effects values (?)", (lease.fence,))
                with pytest.raises(InvalidInput):
                    self.stores[which].leases.try_acquire("other")
                if ends == "released":
                    lease.release()
                self.clock.advance(lasts)
                if ends == "raises":
                    raise RolledBack
            done = True

        try:
            agree(modelled, stored)
        except RolledBack:
            assert ends == "raises"
        if done:
            self.effects.append(tenant.fence)
        assert lease.lost is tenant.lost(self.now)

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
        taken = self.acquire(which, name, "one", 5_000, False)
        for pair in taken.values:
            self.write(which, pair, lasts, ends)
        return taken

    @rule(which=OPENINGS, name=names, owner=owners, lasts=st.sampled_from([0, 60, 90]))
    def hold(self, which: int, name: str, owner: str | None, lasts: float) -> None:
        """The thread would renew it only after half a minute of real time."""
        owner = owner or "holder"

        known = self.model.names.get(name)
        if known is not None and known.live(self.now) and known.owner == owner:
            return  # entered again: other rules do that
        try:
            wanted = self.model.acquire(name, owner, 90_000, self.now)
        except Refused as refused:
            with (
                pytest.raises(refused.error),
                self.stores[which].leases.hold(name, ttl=90, owner=owner),
            ):
                pass
            return
        block = self.stores[which].leases.hold(name, ttl=90, owner=owner)
        lease = block.__enter__()
        self._acquired(wanted, lease)
        self.clock.advance(lasts)
        assert lease.lost is (lasts == 90)
        agree(
            lambda: self.model.release(wanted[0], self.now),
            lambda: block.__exit__(None, None, None),
        )

    @rule(which=OPENINGS, name=names)
    def free(self, which: int, name: str) -> None:
        assert self.stores[which].leases.free(name) is self.model.free(name, self.now)

    @rule(seconds=st.sampled_from([DAY / 1000 - 5, DAY / 1000 - 0.001, DAY / 1000]))
    def a_day_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        assert self.stores[which].sweep() == self.model.sweep(self.now)

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        held = {name: known for name, known in self.model.names.items() if known.holder}
        wanted = [
            (
                name,
                known.owner,
                known.fence_of.fence,
                known.acquired / 1000,
                known.expires / 1000,
                known.live(self.now),
            )
            for name, known in sorted(held.items())
        ]
        leases = self.stores[self.now % 2].leases
        found = leases.list()
        assert [
            (one.name, one.owner, one.fence, one.acquired_at, one.expires_at, one.live)
            for one in found
        ] == wanted
        assert [one for name in ("deploy", "report") if (one := leases.get(name))] == found
        assert ask(self.path, "select fence from effects") == [(fence,) for fence in self.effects]

    # helpers

    def moments(self) -> list[int]:
        ends = [known.expires for known in self.model.names.values()]
        return ends + [end + DAY for end in ends]

    def newest(self) -> int:
        return max((known.acquired for known in self.model.names.values()), default=0)

    def rebooted(self) -> None:
        self.model.reboot()

    def _used(self, which: int, pair: Any) -> tuple[Tenant, Lease]:
        """Return a lease, renewed from its proof when its opening is closed or another's."""
        tenant, (*_, lease) = pair
        engine = self.stores[which].engine
        if lease._engine is not engine:
            hold = NameHold(lease.name, lease.fence, lease.token)
            until = round(lease.expires_at * 1000)
            lease = Lease(
                engine,
                Taken(hold, lease.owner, Term(until, tenant.ttl), lease.displaced),
                asked_ms=self.stopwatch(tenant.believed_until - tenant.ttl),
                ttl_ms=tenant.ttl,
            )
            tenant.refused = False
            pair[1].append(lease)
        return tenant, lease


TestLeases = LeaseMachine.TestCase
TestLeases.settings = profile(examples=80, steps=40)
