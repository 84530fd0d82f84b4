"""Stuck workers: what they have claimed ahead and not begun is given back for them.

A handler may hold the interpreter in a loop in C, or its process may be stopped, and then the
worker itself can give nothing back. Nor can it acknowledge what it has done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ....log.log import log
from ....store.engine import Engine
from ...process.managed_process import ManagedProcess
from ...process.shared_page import DONE, UNBEGUN, SharedPage

# A worker begins nothing that it claimed longer than 20 ms ago, and gives it back by itself
# once the handler that it runs has ended.
_STUCK_MS = 100

# What one processor has written before, all others see within microseconds.
_SEEN_SECONDS = 0.001


class StuckWorkers:
    """Takes back what workers have claimed and will not begin, and acknowledges what they did."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def look(self, workers: Sequence[ManagedProcess]) -> None:
        """Take back from all workers that are stuck, so that others can begin it.

        The worker may be about to begin the next: this says first that it takes back, and then
        looks at what has begun; the worker says first that it begins, and then looks whether
        it may. So one of the two sees the other.

        Raises:
            FencepostError: It is not known whether it was taken back; the next look tries again.
        """
        for each in workers:
            if each.worker and (name := self._stuck(each.page)) and name != each.taken:
                each.page.taken = name
                time.sleep(_SEEN_SECONDS)
                self._take_back(each.worker, name, each.page)
                each.taken = name

    def _stuck(self, page: SharedPage) -> int:
        """Return the batch that has waited for too long, by its name; 0 for none."""
        batch = page.batch
        if batch is None or not (batch.at(UNBEGUN) or batch.at(DONE)):
            return 0
        age_ms = self._engine.clock.stopwatch_ms() - batch.answered_ms
        return batch.fences[0] if age_ms >= _STUCK_MS else 0

    def _take_back(self, worker: int, name: int, page: SharedPage) -> None:
        batch = page.batch
        if batch is None or batch.fences[:1] != (name,):
            return  # it is over
        if count := self._engine.pools.take_back(worker, batch.at(UNBEGUN), batch.at(DONE)):
            log.info("gave back what a busy worker had not begun", worker=worker, deliveries=count)
