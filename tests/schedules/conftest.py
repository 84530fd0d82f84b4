"""Pools that follow a schedule, on clocks that the test moves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from fencepost import Store, connect
from fencepost.app.schedules.schedule import Schedule
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.schedule import Missed, Rule
from fencepost.workers.supervisor.damage import Damage
from fencepost.workers.supervisor.schedules.ticker import Ticker

from ..clock import FakeClock

NINE = 1_800_000_000_000 // 86_400_000 * 86_400_000 + 9 * 3_600_000

# How a test starts a pool: with the schedules that its app has.
Start = Callable[..., Ticker]


def report(spec: str = "0 9 * * *", missed: Missed = "once", name: str = "report") -> Schedule:
    """Return a schedule in UTC."""
    return Schedule(Rule(name, spec, "UTC", missed), Address(name))


def keys(store: Store, name: str = "report") -> list[str]:
    """Return the keys of a schedule's messages, oldest first."""
    return [each.key or "" for each in reversed(store.deliveries(queue=name, limit=1000))]


def due_in(pool: Ticker) -> float:
    """Return after how many seconds a pool looks again at the latest."""
    return pool.due - time.monotonic()


def run(clock: FakeClock, seconds: int, *pools: Ticker) -> None:
    """Let time pass for pools that look at least every half a minute."""
    for passed in range(0, seconds, 30):
        clock.advance(min(30, seconds - passed))
        for pool in pools:
            pool.look()


@pytest.fixture
def clock() -> FakeClock:
    """It is an hour before nine."""
    return FakeClock(wall=NINE - 3_600_000)


@pytest.fixture
def start(store: Store, address: str, clock: FakeClock) -> Iterator[Start]:
    """Start a pool's part for schedules, on an opening of its own."""
    with contextlib.ExitStack() as opened:

        def begin(*schedules: Schedule) -> Ticker:
            engine = opened.enter_context(connect(address, clock=clock, busy_timeout=0.05)).engine
            pool = engine.pools.begin(None, 1)
            ticker = Ticker(engine, pool, Damage(), schedules)
            ticker.look()
            return ticker

        yield begin
