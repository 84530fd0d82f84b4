"""Ending handlers that cannot be interrupted: those over their time or without a lease.

A worker interrupts its handlers itself, as long as they let go of the interpreter. The
supervisor kills the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ...store.engine import Engine
from ..process.process import Incarnation
from .lease_renewer import effective_end

# What is left of a lease when its worker is killed because nobody could renew it.
_LAST_SHARE = 0.05
_LAST_MS = 50
_WAKING_SECONDS = 5.0


class Guard:
    """Looks at the pages of workers, in their supervisor.

    Attributes:
        pause: Seconds after which to look again.
    """

    def __init__(self, engine: Engine, lease: float) -> None:
        self.pause = min(0.25, lease / 12)
        self._engine = engine
        self._last_ms = max(_LAST_MS, round(lease * 1000 * _LAST_SHARE))
        self._waking_seconds = max(_WAKING_SECONDS, lease / 2)

    def look(self, workers: Iterable[Incarnation]) -> None:
        """Kill whose time is up, or whose lease runs out."""
        now = time.monotonic()
        for each in workers:
            work = each.page.work
            if work is None or not work.claims:
                continue
            now_ms = self._engine.now_ms()
            if work.kill_at_ms and now_ms >= work.kill_at_ms:
                each.overdue = work.kill_for
                each.kill("its handler was over its timeout")
            elif (
                effective_end(work, each.page.renewal) - now_ms <= self._last_ms
                # Who was stopped can only now see for itself that its lease is gone.
                and not each.is_stopped()
                and now - each.asleep_at >= self._waking_seconds
            ):
                each.kill("its lease could not be renewed")
