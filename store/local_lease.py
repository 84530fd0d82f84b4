"""The local view of a lease: how long a process may trust it without asking the store."""

from __future__ import annotations

import os

from .engine import Engine


class LocalLease:
    """A lease as one process sees it: never longer than the store does.

    It is measured on this machine's stopwatch: from before the store was asked, for as long as
    the store said. So it ends before the lease does, also while the machine is suspended. It
    belongs to one process: a forked child has none.

    Attributes:
        refused: The lease is known to be lost.
    """

    def __init__(self, engine: Engine, *, ends_ms: int) -> None:
        """`ends_ms` is on the stopwatch."""
        self._stopwatch_ms = engine.clock.stopwatch_ms
        self._pid = os.getpid()
        self._ends_ms = ends_ms
        self.refused = False

    @property
    def ends_ms(self) -> int:
        """When it ends, on the stopwatch."""
        return self._ends_ms

    def extend(self, ends_ms: int) -> None:
        """Let it end then: the store has said so. It never becomes shorter."""
        self._ends_ms = max(self._ends_ms, ends_ms)

    @property
    def lost(self) -> bool:
        """True once the store refused, or the time is up; from then on it stays true."""
        if self._stopwatch_ms() >= self.ends_ms or os.getpid() != self._pid:
            self.refused = True
        return self.refused
