"""Faults in telling who lives."""

from __future__ import annotations

import os
from dataclasses import replace

from ...store.sqlite.pools.register import SqlitePools
from ...store.types.worker import Worker
from ..harness.canary import Canary


def _believes_pids() -> None:
    was = SqlitePools.workers

    def workers(self: SqlitePools) -> list[Worker]:
        return [
            replace(each, state="starting") if _is_there(each.pid) else each for each in was(self)
        ]

    SqlitePools.workers = workers  # type: ignore[method-assign]


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


CANARIES = (
    Canary(
        "believes-pids",
        "a worker lives as long as there is a process with its pid",
        scenario="pids",
        trips="dead-is-dead",
        plant=_believes_pids,
    ),
)
