"""A pool while it stops: handlers finish, are cancelled after the grace time, or are killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from .processes import Processes

# Handlers that are cancelled may clean up for so long.
_CANCEL_SECONDS = 2.0
# A signal that arrives just before a system call may go unheard until that ends.
_CANCEL_AGAIN_SECONDS = 0.2


class Stopping:
    """The end of a pool, step by step."""

    def __init__(self, processes: Processes, grace: float) -> None:
        """Tell all processes to finish what they have begun, within `grace` seconds."""
        self._processes = processes
        for each in processes:
            each.leave()
        cancel_at = time.monotonic() + grace
        tries = round(_CANCEL_SECONDS / _CANCEL_AGAIN_SECONDS)
        # What is left to do, each from its moment on.
        self._steps: list[tuple[float, Callable[[], None]]] = [
            *((cancel_at + n * _CANCEL_AGAIN_SECONDS, self._cancel) for n in range(tries)),
            (cancel_at + _CANCEL_SECONDS, self.kill),
            (float("inf"), self.kill),
        ]

    @property
    def due(self) -> float:
        """time.monotonic() at which to call `step` again at the latest."""
        return self._steps[0][0]

    @property
    def over(self) -> bool:
        """All have ended."""
        return not list(self._processes)

    def step(self) -> None:
        """Do what is due."""
        while time.monotonic() >= self.due:
            self._steps.pop(0)[1]()

    def kill(self, why: str = "the grace time is over") -> None:
        """End all now."""
        self._processes.kill(why)

    def _cancel(self) -> None:
        for each in self._processes.workers:
            if each.ready:
                each.signal(signal.SIGUSR2)
            else:
                each.kill("not up when the grace time ended")
