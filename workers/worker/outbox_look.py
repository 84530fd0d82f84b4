"""Whether the outbox has something to send, so that a worker claims from it only then."""

from __future__ import annotations

import time

from ...store.engine import Engine
from ...store.errors import FencepostError
from ...store.types.sending.outgoing import OUTBOX

# A worker that is busy with other queues looks so often at most: a claim takes the write lock.
_BUSY_SECONDS = 0.05


class OutboxLook:
    """Looks at the outbox, at once after a wait and after a claim, else now and then.

    Attributes:
        waits: There was something to send at the last look.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._due = 0.0
        self.waits = False

    def look(self) -> None:
        """Look if it is time."""
        if time.monotonic() < self._due:
            self.waits = False
            return
        self._due = time.monotonic() + _BUSY_SECONDS
        try:
            at = self._engine.queue.next_at_ms([OUTBOX])
        except FencepostError:
            self.waits = True  # the claim meets it too, and waits
        else:
            self.waits = at is not None and at <= self._engine.clock.now_ms()

    def again(self) -> None:
        """Look at the next chance."""
        self._due = 0.0
