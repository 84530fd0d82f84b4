"""Keeping a lease: what is known to be lost stays lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from fencepost import StoreBusy
from fencepost.store.engine import Engine, Hold
from fencepost.store.engine.pools import Report
from fencepost.workers.keeper import Keeper
from fencepost.workers.page import Page

from ..processes import PATIENCE_SECONDS


class _Busy:
    """A store that is busy until the lease has been found lost elsewhere."""

    def __init__(self) -> None:
        self.clock_ms = 100_000
        self.upkeep = self.pools = self
        self.asked, self.go_on = threading.Event(), threading.Event()

    @contextmanager
    def transaction(self, operation: str) -> Iterator[None]:
        yield

    def renew(self, hold: Hold, lease_ms: int) -> int:
        self.asked.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        raise StoreBusy(operation="renew", path="store.db", waited=5.0)

    def now_ms(self) -> int:
        return self.clock_ms

    def tick(self) -> None:
        """Somebody else does it."""

    def report(self, worker: int, report: Report) -> None:
        """Nobody reads it."""


# LEASE-18
def test_a_lease_found_lost_while_a_renewal_fails_stays_lost() -> None:
    store = _Busy()
    keeper = Keeper(cast(Engine, store), worker=1, lease=60, page=Page())
    keeper.start()

    tenure = keeper.keep(Hold(1, 1, "token"), asked_ms=store.clock_ms - 40_000)
    assert store.asked.wait(PATIENCE_SECONDS)
    tenure.refused = True  # as ctx.extend() and ctx.transaction() say it
    store.go_on.set()
    keeper.stop()

    assert tenure.lost


def test_a_lease_is_lost_by_the_clock_of_the_store_which_a_suspended_machine_moves_on() -> None:
    store = _Busy()
    keeper = Keeper(cast(Engine, store), worker=1, lease=60, page=Page())
    tenure = keeper.keep(Hold(1, 1, "token"), asked_ms=store.clock_ms)

    store.clock_ms += 59_999
    assert not tenure.lost
    store.clock_ms += 1
    assert tenure.lost
