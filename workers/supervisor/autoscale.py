"""How many workers a pool should have, from how long work has been waiting."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Work that waits longer than this wants more workers: a start takes less.
_PATIENCE_SECONDS = 1.0
# Time for those that were added to show.
_UP_SECONDS = 3.0
# Bursts come again: leaving is cheap only when it stays so.
_DOWN_SECONDS = 30.0
_GROWTH = 1.5


@dataclass(slots=True)
class Autoscaler:
    """Grows by half when the oldest ready delivery waits, shrinks by one when nothing has.

    Attributes:
        least, most: The bounds of the size.
    """

    least: int
    most: int
    _pressed_at: float = -math.inf
    _changed_at: float = -math.inf

    def size(self, now: float, size: int, oldest_ready_age: float) -> int:
        """Return the size wanted at time.monotonic() `now`, with `size` workers up to now."""
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
