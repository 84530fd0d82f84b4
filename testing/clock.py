"""A clock for tests."""

from __future__ import annotations

import time

from ..store.types.validate import Duration, milliseconds


class Clock:
    """A clock that stands still until `advance` moves it.

    Pass it to `connect(path, clock=...)`, `deliver` or `Context`. It starts at the present
    time, so that signatures made now are fresh.
    """

    def __init__(self) -> None:
        self._boot_ms = 1_000_000
        self._wall_ms = time.time_ns() // 1_000_000

    def advance(self, seconds: Duration) -> None:
        """Move the clock forward."""
        passed = milliseconds(seconds, "seconds")
        self._boot_ms += passed
        self._wall_ms += passed

    def time(self) -> float:
        """Return Unix seconds."""
        return self._wall_ms / 1000

    def boot_ms(self) -> int:
        """Return milliseconds since the boot of an imaginary machine."""
        return self._boot_ms

    def boot_id(self) -> str:
        """Return the id of that boot."""
        return "fencepost.testing"

    def wall_ms(self) -> int:
        """Return Unix milliseconds."""
        return self._wall_ms
