"""A pool while it runs: as many processes as are wanted, all with the newest code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ...linux.sd_notify import Notifier
from ..process.app.source_files import LOOK_SECONDS, SourceFiles
from ..process.reload import Reload
from .processes import Processes
from .scaling.sizing import Sizing
from .schedules.ticker import Ticker

_DONE_SECONDS = 0.1


class Running:
    """What a supervisor does until it is told to stop.

    Args:
        sizing: None for a pool that has no workers.
        queues: Those that it serves; None for all that the app has handlers for.
        files: Those whose change is a reload.
        is_done: Asked ten times a second; True ends the run as SIGTERM would.
        on_ready: Called once, when every process is up for the first time.

    Attributes:
        reload: The reload of the app.
        queues: What it serves, when a reload has changed that.
    """

    def __init__(
        self,
        processes: Processes,
        sizing: Sizing | None,
        notifier: Notifier,
        ticker: Ticker,
        *,
        queues: Sequence[str] | None,
        files: SourceFiles | None,
        is_done: Callable[[], bool] | None,
        on_ready: Callable[[], None],
    ) -> None:
        self.queues: list[str] = []
        self.reload = Reload(processes.code, processes.groups, notifier, self._reloaded)
        self._processes = processes
        self._sizing = sizing
        self._notifier = notifier
        self._ticker = ticker
        self._asked = queues
        self._files = files
        self._is_done = is_done
        self._on_ready = on_ready
        self._announced = False

    @property
    def due(self) -> float:
        """time.monotonic() at which to call `step` again at the latest."""
        now = time.monotonic()
        times = [self._processes.due, self._ticker.due]
        if self._sizing is not None:
            times.append(self._sizing.due)
        if self._files is not None:
            times.append(now + LOOK_SECONDS)
        if self._is_done is not None:
            times.append(now + _DONE_SECONDS)
        return min(times)

    def step(self) -> bool:
        """Start, replace or stop processes; False when the pool is to end."""
        if self._files is not None and self._files.changed():
            self.reload.begin()
        if self._sizing is not None:
            self._sizing.look()
            self._processes.workers.size = self._sizing.size
        self._ticker.look()
        self._processes.keep_up()
        self.reload.step()
        self._processes.fit()
        if self._processes.failed:
            return False
        self._announce()
        return self._is_done is None or not self._is_done()

    def _announce(self) -> None:
        """Announce once that every process is up."""
        if not self._announced and self._processes.settled:
            self._announced = True
            self._on_ready()
            self._notifier.tell("READY=1")

    def _reloaded(self) -> None:
        """Serve the queues that the new code has handlers for, and its schedules."""
        code = self._processes.code
        if not code.handlers:
            return  # where no process can be forked, nobody has said what the new code has
        if self._asked is None:
            self.queues = code.handlers
            if self._sizing is not None:
                self._sizing.queues = self.queues
        served = code.handlers if self._asked is None else self._asked
        self._ticker.follow([each for each in code.schedules if each.rule.name in served])
