"""Prefetch: how many deliveries a worker claims at once for a handler that is no coroutine.

As many as the handler's measured time says can be handled within BUDGET_MS: one of a slow
handler, hundreds of a fast one. What waits behind a handler that takes longer than that is
given back. With 1000 at once, one of two workers got nearly all of a producer's batches; up
to 500 the worse off of two got 0.85 to 0.97 of what the other did.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...app.handlers.handler import Handler
from ..process.shared_page import MOST_AT_ONCE

# Nothing is begun that was claimed longer ago, so that what comes meanwhile with a greater
# priority, and what is done and not acknowledged yet, waits no longer.
BUDGET_MS = 20

# The rest of the budget is for messages that take longer than the mean.
_SIZED_SECONDS = 0.75 * BUDGET_MS / 1000

_GROWTH = 4
_NEW = 0.3


class Prefetch:
    """How many deliveries of each handler to claim at once.

    Attributes:
        most: By queue; it begins at 1.
    """

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self._bounds = {
            each.name: 1 if each.takes_one else min(each.prefetch or MOST_AT_ONCE, MOST_AT_ONCE)
            for each in handlers
        }
        self._means: dict[str, float] = {}
        self.most = dict.fromkeys(self._bounds, 1)

    def handled(self, queue: str, count: int, seconds: float) -> None:
        """Learn from `count` deliveries of a queue, which took so many seconds together."""
        new = seconds / count
        mean = (1 - _NEW) * self._means.get(queue, new) + _NEW * new
        self._means[queue] = mean
        fits = int(_SIZED_SECONDS / mean) if mean > 0 else MOST_AT_ONCE
        self.most[queue] = max(1, min(fits, _GROWTH * self.most[queue], self._bounds[queue]))
