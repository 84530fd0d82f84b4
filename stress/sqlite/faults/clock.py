"""Faults in the store's clock, and in telling which workers live."""

from __future__ import annotations

import os
from dataclasses import replace

from ....store.sqlite.pools.register import SqlitePools
from ....store.sqlite.session import clock
from ....store.sqlite.session.clock import StoreClock
from ....store.types.worker import Worker
from ...harness.faults import fault


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@fault("leases expire by the wall clock")
def leases_by_the_wall() -> None:
    def now_ms(self: StoreClock) -> int:
        return self._clock.wall_ms()

    StoreClock.now_ms = now_ms  # type: ignore[method-assign]


@fault("a reboot does not end the leases")
def leases_outlive_reboot() -> None:
    clock._EXPIRE = ()  # type: ignore[assignment]


@fault("a worker counts as alive while any process has its pid")
def believes_pids() -> None:
    was = SqlitePools.workers

    def workers(self: SqlitePools) -> list[Worker]:
        return [
            replace(each, state="starting") if _is_there(each.pid) else each for each in was(self)
        ]

    SqlitePools.workers = workers  # type: ignore[method-assign]
