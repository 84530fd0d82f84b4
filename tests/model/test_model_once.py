"""Claims of keys: with aliases and payloads, completed late and twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, initialize, invariant, multiple, rule

from fencepost import InvalidInput, LeaseHeld, Once, Store
from fencepost.store.engine.once import Claimed
from fencepost.store.engine.ports.clock import Term

from ..kits import Effects
from ..sqlite.inside import ask
from .machine import OPENINGS, Pair, RolledBack, StoreMachine, profile

DAY = 86_400_000

spaces = st.sampled_from(["stripe", "orders"])
keys = st.sampled_from(["a", "b", "c"])
payloads = st.sampled_from([None, None, b"one", b"two"])
results = st.sampled_from([None, 1, {"ok": [True]}])
leases = st.sampled_from([0.001, 5, 10])
keeps = st.sampled_from([0.001, 5, 20])


class OnceMachine(StoreMachine):
    """Claims stay usable for ever: late, twice, superseded, after a reopening."""

    claims = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        # Each claim has a name of its own, which is drawn at random.
        self.holders: dict[str, str] = {}
        self.effects = Pair(
            Effects(self.stores[0], has_sql=True), Effects(self.plain[0], has_sql=False)
        )

    @rule(
        target=claims,
        which=OPENINGS,
        space=spaces,
        key=keys,
        aliases=st.lists(keys, max_size=2),
        payload=payloads,
        lease=leases,
        keep=keeps,
    )
    def claim(
        self,
        which: int,
        space: str,
        key: str,
        aliases: list[str],
        payload: bytes | None,
        lease: float,
        keep: float,
    ) -> MultipleResults[Any]:
        once, reference = self.both(
            which,
            lambda store: store.once(
                space, key, lease=lease, keep_for=keep, payload=payload, aliases=aliases
            ),
        )
        if once is None or reference is None:
            assert once is reference
            return multiple()
        self._same(once, reference)
        if once.claimed:
            return multiple(Pair(once, reference))
        with pytest.raises(InvalidInput):
            once.complete()
        return multiple()

    @rule(which=OPENINGS, pair=claims, result=results)
    def complete(self, which: int, pair: Pair, result: Any) -> None:
        self._use(which, pair, lambda once, _: once.complete(result))

    @rule(which=OPENINGS, pair=claims, commits=st.booleans())
    def complete_with_rows_of_ones_own(self, which: int, pair: Pair, commits: bool) -> None:
        def completed(once: Once, store: Store) -> None:
            with store.transaction() as tx:
                self.effects.of(store).on(store).write(tx, once.fence)
                with pytest.raises(InvalidInput):
                    store.once("stripe", "z")
                once.complete(once.fence)
                if not commits:
                    raise RolledBack

        self._use(which, pair, completed)

    @rule(which=OPENINGS, pair=claims)
    def release(self, which: int, pair: Pair) -> None:
        self._use(which, pair, lambda once, _: once.release())

    @rule(which=OPENINGS, pair=claims, lease=st.sampled_from([None, 0.001, 5, 10]))
    def renew(self, which: int, pair: Pair, lease: float | None) -> None:
        self._use(which, pair, lambda once, _: once.renew(lease))

    @rule(
        which=OPENINGS,
        space=spaces,
        key=keys,
        payload=payloads,
        result=results,
        lasts=st.sampled_from([0, 0, 60, 90]),
        ends=st.sampled_from(["well", "well", "raises", "overtaken"]),
    )
    def call(
        self,
        which: int,
        space: str,
        key: str,
        payload: bytes | None,
        result: Any,
        lasts: float,
        ends: str,
    ) -> None:
        """A function that is idempotent by its key; its lease lasts 90 s, in fake time."""

        def called(store: Store) -> tuple[Any, ...]:
            others = self.stores if store in self.stores else self.plain
            told: list[Any] = []

            def work() -> Any:
                self.clock.advance(lasts)
                if ends == "overtaken":
                    other = others[1 - which].once(space, key, lease=5, keep_for=5)
                    told.append((other.claimed, other.fence, other.expires_at))
                if ends == "raises":
                    raise RolledBack
                return result

            run = store.idempotent(
                space,
                key=lambda: key,
                lease=90,
                keep_for=20,
                payload=None if payload is None else lambda: payload,
            )(work)
            try:
                return run(), told
            except LeaseHeld as held:
                return held.expires_at, held.retry_after, told

        self.same(which, called)

    @rule(seconds=st.sampled_from([DAY / 1000 - 5, DAY / 1000 - 0.001, DAY / 1000]))
    def a_day_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        self.same(which, lambda store: store.sweep())

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        wanted = [
            (*at, row.state, row.fence, row.until_ms)
            for at, row in sorted(self.tables.once.items())
        ]
        assert ask(self.path, _ROWS) == wanted
        self.same(0, lambda store: self.effects.of(store).on(store).seen())

    # helpers

    def moments(self) -> list[int]:
        ends = [row.until_ms for row in self.tables.once.values()]
        return ends + [end + DAY for end in ends]

    def newest(self) -> int:
        return 0

    def _same(self, once: Once, reference: Once) -> None:
        assert _shown(once) == _shown(reference)
        lapsed, other = once.displaced, reference.displaced
        assert (lapsed is None) is (other is None)
        if lapsed is not None and other is not None:
            assert (lapsed.fence, lapsed.expired_at) == (other.fence, other.expired_at)
            self._same_holder(lapsed.owner, other.owner)
        if once.holder is not None and reference.holder is not None:
            self._same_holder(once.holder, reference.holder)

    def _same_holder(self, holder: str, reference: str) -> None:
        assert self.holders.setdefault(holder, reference) == reference
        assert self.holders.setdefault(reference, holder) == holder

    def _use(self, which: int, pair: Pair, call: Callable[[Once, Store], object]) -> None:
        """Use a claim, made anew from its proof when its opening is closed or another's."""
        for store in (self.stores[which], self.plain[which]):
            once = pair.of(store)
            if once._engine is not store.engine:
                until = round(once.expires_at * 1000)
                claimed = Claimed(
                    once._claim(), Term(until, max(0, until - self.now)), once.displaced
                )
                again = Once(
                    store.engine,
                    once.namespace,
                    once.key,
                    claimed,
                    asked_ms=self.clock.boot,
                    lease_ms=5_000,
                    keep_ms=5_000,
                )
                vars(pair)["plain" if store is self.plain[which] else "sqlite"] = again
        self.same(which, lambda store: call(pair.of(store), store) and None)
        assert _shown(pair.sqlite) == _shown(pair.plain)


def _shown(once: Once) -> tuple[Any, ...]:
    facts = once.claimed, once.done, once.result, once.fence, once.holder is None
    return (*facts, once.expires_at, once.retry_after, once.lost)


_ROWS = """
select namespace, key, state, fence, expires_at_ms
from fp_once
order by namespace, key
"""


TestOnce = OnceMachine.TestCase
TestOnce.settings = profile(examples=60, steps=40)
