"""How many workers a pool should have, by how long the oldest ready delivery has waited."""

from __future__ import annotations

import math
from dataclasses import dataclass

# If a delivery waits longer than this, the pool grows: starting a worker takes less.
_PATIENCE_SECONDS = 1.0
# New workers get this long to have an effect.
_UP_SECONDS = 3.0
# Load comes in bursts, so the pool shrinks slowly.
_DOWN_SECONDS = 30.0
_GROWTH = 1.5


@dataclass(slots=True)
class Autoscaler:
    """Grows by half while the oldest ready delivery waits, and shrinks by one when none has.

    Attributes:
        least, most: The bounds of the size.
    """

    least: int
    most: int
    _pressed_at: float = -math.inf
    _changed_at: float = -math.inf

    def size(self, now: float, size: int, oldest_ready_age: float) -> int:
        """Return the new size at time.monotonic() `now`; `size` is the current one."""
        wanted = min(max(size, self.least), self.most)
        if oldest_ready_age > _PATIENCE_SECONDS:
            self._pressed_at = now
            if now - self._changed_at >= _UP_SECONDS:
                wanted = min(self.most, max(wanted + 1, math.ceil(wanted * _GROWTH)))
        elif self._pressed_at == -math.inf:
            self._pressed_at = now
        elif now - max(self._pressed_at, self._changed_at) >= _DOWN_SECONDS:
            wanted = max(self.least, wanted - 1)
        if wanted != size:
            self._changed_at = now
        return wanted
