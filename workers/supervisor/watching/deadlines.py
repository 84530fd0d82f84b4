"""Deadlines of handlers: their timeout, and the end of their lease.

A worker interrupts its own handlers, as long as they release the interpreter. The supervisor
kills the workers whose handlers do not.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ....store.engine import Engine
from ....store.rules.lease_timing import LeaseTiming
from ...process.managed_process import ManagedProcess
from ..lease_renewer import effective_end


class Deadlines:
    """Reads the shared pages of the workers and kills those that are over a deadline.

    Attributes:
        pause: Seconds until the next look.
    """

    def __init__(self, engine: Engine, lease: float) -> None:
        timing = LeaseTiming(lease)
        self.pause = timing.supervisor_looks_seconds
        self._engine = engine
        self._kill_left_ms = timing.kill_left_ms
        self._waking_seconds = timing.waking_seconds

    def look(self, workers: Iterable[ManagedProcess]) -> None:
        """Kill workers with a handler over its timeout, or with a lease about to expire."""
        now = time.monotonic()
        for each in workers:
            work = each.page.work
            if work is None or not work.claims:
                continue
            now_ms = self._engine.clock.stopwatch_ms()
            if work.kill_at_ms and now_ms >= work.kill_at_ms:
                each.overdue = work.kill_for
                each.kill("its handler was over its timeout")
            elif (
                effective_end(work, each.page.renewal) - now_ms <= self._kill_left_ms
                # A worker that was stopped gets time to see for itself that its lease is lost.
                and not each.is_stopped()
                and now - each.asleep_at >= self._waking_seconds
            ):
                each.kill("its lease could not be renewed")
