"""Keeping a lease: what is known to be lost stays lost."""

from __future__ import annotations

import threading
import time
from typing import cast

from fencepost import StoreBusy
from fencepost.store.engine import Engine, Hold
from fencepost.workers.keeper import Keeper, Watch

from ..processes import PATIENCE_SECONDS


class _Busy:
    """A store that is busy until the lease has been found lost elsewhere."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def renew(self, hold: Hold, lease_ms: int) -> int:
        self.asked.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        raise StoreBusy(operation="renew", path="store.db", waited=5.0)

    def report(self, worker: int, state: str, handled: int) -> None:
        """Nobody reads it."""


def test_a_lease_found_lost_while_a_renewal_fails_stays_lost() -> None:
    store = _Busy()
    keeper = Keeper(cast(Engine, store), worker=1, lease=60)
    keeper.start()

    watch: Watch = keeper.keep(Hold(1, 1, "token"), asked_at=time.monotonic() - 40)
    assert store.asked.wait(PATIENCE_SECONDS)
    watch.lost = True  # as ctx.extend() and ctx.transaction() say it
    store.go_on.set()
    keeper.stop()

    assert watch.lost
