"""Schedules: pools that come, look, change their rules and go, on a clock that steps."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from fencepost import Store
from fencepost.app.schedules.schedule import Schedule
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.schedule import MISSED, Rule
from fencepost.workers.supervisor.damage import Damage
from fencepost.workers.supervisor.schedules.ticker import Ticker

from .machine import OPENINGS, Pair, StoreMachine, profile

QUEUES = ("often", "nightly")

specs = st.sampled_from(["every 600 s", "every 3600 s", "*/20 * * * *"])
policies = st.sampled_from(MISSED)


@st.composite
def apps(draw: st.DrawFn) -> list[Schedule]:
    """The schedules of an app: none, one or two."""
    found = []
    for name in draw(st.sets(st.sampled_from(QUEUES))):
        of = Rule(name, draw(specs), "UTC", draw(policies))
        found.append(Schedule(of, Address(name)))
    return sorted(found, key=lambda each: each.rule.name)


class ScheduleMachine(StoreMachine):
    """At most one pool for each opening; none is told when the other ends."""

    @initialize()
    def begin(self) -> None:
        self.pools: dict[int, int] = {}
        self.tickers: dict[int, Pair] = {}

    @rule(which=OPENINGS, app=apps())
    def start(self, which: int, app: list[Schedule]) -> None:
        pool = self.same(which, lambda store: store.engine.pools.begin(QUEUES, 1))
        assert pool is not None
        self.pools[which] = pool
        self.tickers[which] = Pair(
            *(
                Ticker(store.engine, pool, Damage(), app)
                for store in (self.stores[which], self.plain[which])
            )
        )
        self.look(which)

    @rule(which=OPENINGS)
    def look(self, which: int) -> None:
        if which in self.tickers:
            self.same(which, lambda store: self._looked(which, store))

    @rule(which=OPENINGS, app=apps())
    def reload(self, which: int, app: list[Schedule]) -> None:
        if which in self.tickers:
            for ticker in vars(self.tickers[which]).values():
                ticker.follow(app)
            self.look(which)

    @rule(which=OPENINGS, looks=st.integers(1, 20), seconds=st.sampled_from([29, 60]))
    def run(self, which: int, looks: int, seconds: int) -> None:
        for _ in range(looks):
            self.clock.advance(seconds)
            self.look(which)

    @rule(hours=st.sampled_from([0.5, 3, 30, 200]))
    def nobody_is_there(self, hours: float) -> None:
        self.clock.advance(hours * 3600)

    @rule(which=OPENINGS)
    def end(self, which: int) -> None:
        if which in self.pools:
            pool = self.pools.pop(which)
            self.same(which, lambda store: store.engine.pools.end(pool))
            del self.tickers[which]

    @rule(which=OPENINGS, pool=st.integers(1, 5))
    def report(self, which: int, pool: int) -> None:
        self.same(which, lambda store: store.engine.pools.tell(pool, state="running", size=1))

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        self.same(0, lambda store: store.schedules())
        self.same(1, lambda store: store.engine.pools.pools())
        self.same(0, _keys)

    @invariant()
    def a_planned_time_is_one_message(self) -> None:
        counted = Counter(_keys(self.plain[0]))
        assert counted.total() == len(counted)

    # helpers

    def moments(self) -> list[int]:
        return []

    def newest(self) -> int:
        times = [row.received_ms for row in self.tables.messages.values()]
        return max(times, default=0)

    def reopened(self, which: int) -> None:
        self.pools.pop(which, None)
        self.tickers.pop(which, None)

    def _looked(self, which: int, store: Store) -> list[tuple[str, int, int | None]]:
        ticker = self.tickers[which].of(store)
        ticker.look()
        return [
            (name, each.standing.last_ms, each.next_ms) for name, each in ticker._followed.items()
        ]


def _keys(store: Store) -> list[tuple[str, str | None]]:
    return [(each.queue, each.key) for each in store.deliveries(limit=100_000)]


TestSchedules = ScheduleMachine.TestCase
TestSchedules.settings = profile(examples=60, steps=30)
