"""A lease in a test: nobody takes it away, and nobody has to renew it."""

from __future__ import annotations

import os

from ..store.engine import Engine
from ..workers.worker.in_progress import Tenure

LEASE_SECONDS = 100 * 86_400


class Kept(Tenure):
    """What a supervisor that always renews would have a handler believe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pid = os.getpid()
        self.refused = False

    @property
    def ends_ms(self) -> int:
        """A time that no test comes to."""
        return 2**62

    def extend(self, ends_ms: int) -> None:
        """Change nothing: it is extended already."""
