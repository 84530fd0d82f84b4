"""How many workers a pool should have: as scaled through the store, or as it was started."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ....log.log import log
from ....store import Store
from ....store.errors import FencepostError
from ....store.types.worker import MAX_WORKERS
from ..damage import Damage
from .autoscale import Autoscaler

_LOOK_SECONDS = 0.5


class Sizing:
    """Follows `fencepost scale`, which all pools of a store obey, and the autoscaler.

    Attributes:
        size: How many workers the pool should have now.
        queues: The queues whose load the autoscaler looks at.
        due: time.monotonic() at which to look again.
        damage: The damage of the store that was found.
    """

    def __init__(
        self,
        store: Store,
        start: int,
        autoscaler: Autoscaler | None,
        queues: Sequence[str],
    ) -> None:
        self.size = start
        self.due = 0.0
        self.damage = Damage()
        self._store = store
        self._start = start
        self._autoscaler = autoscaler
        self.queues = queues

    def look(self) -> None:
        """Read the wanted size; while the store does not answer, the old size stays."""
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
        """Scale all pools to this one's size and `by` more."""
        size = min(max(self.size + by, 0), MAX_WORKERS)
        try:
            self._store.engine.pools.set_scale(size)
        except FencepostError as error:
            if not self.damage.met(error):
                log.warning("cannot change the size of the pool", error=str(error))
        # The next signal may come before the next look.
        self.due = 0.0
        self.look()

    def _own(self) -> int:
        if self._autoscaler is None:
            return self._start
        # Only deliveries that may be claimed count: more workers do not help the others.
        engine = self._store.engine
        since_ms = engine.queue.waiting_since_ms(self.queues)
        age = 0.0 if since_ms is None else max(0, engine.clock.now_ms() - since_ms) / 1000
        return self._autoscaler.size(time.monotonic(), self.size, age)
