"""How many workers a pool is to have: as told through the store, or as it was started."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...log.log import log
from ...store import Store
from ...store.errors import FencepostError
from ...store.types.worker import MAX_WORKERS
from .autoscale import Autoscaler
from .damage import Damage

_LOOK_SECONDS = 0.5


class Sizing:
    """Follows what operators have told all pools on the store.

    Attributes:
        size: The number that is wanted now.
        queues: Those whose load counts.
        due: time.monotonic() from which to look again.
        damage: What was met of it.
    """

    def __init__(
        self,
        store: Store,
        start: int,
        autoscaler: Autoscaler | None,
        queues: Sequence[str],
        damage: Damage | None = None,
    ) -> None:
        self.size = start
        self.due = 0.0
        self.damage = damage or Damage()
        self._store = store
        self._start = start
        self._autoscaler = autoscaler
        self.queues = queues

    def look(self) -> None:
        """Take in what is wanted; while the store does not answer, what was wanted stays."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + _LOOK_SECONDS
        try:
            told = self._store.engine.pools.scale()
            size = self._own() if told is None else told
        except FencepostError as error:
            if not self.damage.met(error):
                log.warning("cannot read the size of the pool", error=str(error))
            return
        if size != self.size:
            log.info("scaling", size=size, before=self.size, told=told is not None)
            self.size = size

    def change(self, by: int) -> None:
        """Tell all pools to have so many more workers than this one is to have now."""
        size = min(max(self.size + by, 0), MAX_WORKERS)
        try:
            self._store.engine.pools.set_scale(size)
        except FencepostError as error:
            if not self.damage.met(error):
                log.warning("cannot change the size of the pool", error=str(error))
        # Another signal may be next, before this has come back through the store.
        self.due = 0.0
        self.look()

    def _own(self) -> int:
        if self._autoscaler is None:
            return self._start
        # More workers change nothing for what nobody may claim.
        engine = self._store.engine
        since_ms = engine.queue.waiting_since_ms(self.queues)
        age = 0.0 if since_ms is None else max(0, engine.clock.now_ms() - since_ms) / 1000
        return self._autoscaler.size(time.monotonic(), self.size, age)
