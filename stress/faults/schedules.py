"""Faults in how pools enqueue for schedules."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec.structs import replace

from ...workers.supervisor.schedules.ticker import Ticker, _Followed
from ..harness.faults import fault


@fault("each pool enqueues before it looks, with the time at which it does so as the key")
def double_tick() -> None:
    right = Ticker._advance

    def advance(self: Ticker, each: _Followed, times: Sequence[int], last_ms: int) -> None:
        for at in times:
            draft = each.schedule.draft(at)
            self._engine.queue.enqueue([replace(draft, key=str(time.time_ns()))])
        right(self, each, (), last_ms)

    Ticker._advance = advance  # type: ignore[method-assign]
