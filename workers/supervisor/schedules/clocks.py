"""The wall clock beside the stopwatch: what it was set by, and since when somebody looks."""

from __future__ import annotations

from ....app.schedules.missed import LATE_MS
from ....log.log import log
from ....store.engine.ports.clock import StoreClock

# Source: cron(8), "Local time changes of less than three hours", and what is beyond.
CORRECTION_MS = 3 * 3_600_000

_SAME_MS = 1000


class Clocks:
    """Compares the two clocks at each look.

    Attributes:
        wall_ms: The wall clock at the last look.
        watched_ms: Since then, on the wall clock, no two looks were far apart.
    """

    def __init__(self, clock: StoreClock) -> None:
        self._clock = clock
        self.wall_ms, self._stopwatch_ms = self._both()
        self.watched_ms = self.wall_ms

    def look(self) -> bool:
        """True if the wall clock was set by three hours or more since the last look."""
        wall_ms, stopwatch_ms = self._both()
        passed_ms = stopwatch_ms - self._stopwatch_ms
        set_by_ms = wall_ms - self.wall_ms - passed_ms
        corrected = abs(set_by_ms) >= CORRECTION_MS
        self.wall_ms, self._stopwatch_ms = wall_ms, stopwatch_ms
        if corrected or passed_ms > LATE_MS:
            self.watched_ms = wall_ms
        self.watched_ms = min(self.watched_ms, wall_ms)
        if corrected:
            seconds = set_by_ms / 1000
            log.warning("the clock was set: schedules continue at its new time", seconds=seconds)
        return corrected

    def _both(self) -> tuple[int, int]:
        """Read both clocks at about the same time: a pause in between would look like a step."""
        while True:
            stopwatch_ms, wall_ms = self._clock.stopwatch_ms(), self._clock.wall_ms()
            if self._clock.stopwatch_ms() - stopwatch_ms < _SAME_MS:
                return wall_ms, stopwatch_ms
