"""Stack dumps: what each process of the pool is doing, written to the log at SIGUSR1."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from functools import partial

from ...log.log import log
from ..process.managed_process import ManagedProcess
from .processes import Sources

# A process writes its stacks in many pieces.
_WRITING_SECONDS = 0.1


class Stacks:
    """Collects what processes write of their stacks, and logs each as one line."""

    def __init__(self) -> None:
        # When to log what has come of a process, by the descriptor.
        self._log_at: dict[int, float] = {}

    @property
    def due(self) -> float:
        """time.monotonic() at which to call `write`; inf for never."""
        return min(self._log_at.values(), default=float("inf"))

    def ask(self, processes: Iterable[ManagedProcess]) -> None:
        """Have each process write its stacks."""
        for each in processes:
            each.signal(signal.SIGUSR1)

    def sources(self, processes: Iterable[ManagedProcess]) -> Sources:
        """Return the descriptors of those that have written nothing yet."""
        return {
            each.stacks: partial(self._note, each.stacks)
            for each in processes
            if each.stacks not in self._log_at
        }

    def write(self, processes: Iterable[ManagedProcess]) -> None:
        """Log the stacks that are complete by now."""
        for each in processes:
            if self._log_at.get(each.stacks, float("inf")) <= time.monotonic():
                del self._log_at[each.stacks]
                if text := each.read_stacks():
                    log.info("stacks", process=each.role.name, pid=each.pid, stacks=text)

    def forget(self, process: ManagedProcess) -> None:
        """Expect nothing of a process that has ended."""
        self._log_at.pop(process.stacks, None)

    def _note(self, descriptor: int) -> None:
        self._log_at[descriptor] = time.monotonic() + _WRITING_SECONDS
