"""Recycling: replacing a worker by handled messages, memory or age."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from math import ceil

from ...linux.memory import resident_bytes
from ...log.log import log
from ...store.rules.failures.jitter import jitter
from ..process.shared_page import MOST_AT_ONCE

_LOOK_SECONDS = 0.1
# Workers that were started together should not all be replaced together.
_EARLIEST = 0.9
# A worker that starts above the limit may grow by this much before it is replaced.
_ROOM = 1.1


@dataclass(frozen=True, slots=True)
class Recycle:
    """The limits at which a worker process is replaced; None for no limit.

    Attributes:
        max_handled: Attempts at deliveries.
        max_memory: Bytes resident.
        max_age: Seconds.
    """

    max_handled: int | None = None
    max_memory: int | None = None
    max_age: float | None = None


class Age:
    """How close one process is to its limits; each limit is up to 10 % lower, at random."""

    def __init__(self, recycle: Recycle) -> None:
        self._max_handled = _jittered(recycle.max_handled)
        self._max_memory = _jittered(recycle.max_memory)
        self._max_age = _jittered(recycle.max_age)
        self._started = time.monotonic()
        self._spare_the_fresh()
        self._look_at = self._started

    def why(self, handled: int) -> str | None:
        """Return why the worker should be replaced; None if it should not."""
        if self._max_handled is not None and handled >= self._max_handled:
            return f"it has handled {handled} deliveries"
        now = time.monotonic()
        if self._max_age is not None and now >= self._started + self._max_age:
            return f"it is {now - self._started:.0f} s old"
        if self._max_memory is None or now < self._look_at:
            return None
        self._look_at = now + _LOOK_SECONDS
        resident = resident_bytes(os.getpid())
        if resident is not None and resident >= self._max_memory:
            return f"it has {resident // 2**20} MiB of memory"
        return None

    def room(self, handled: int) -> int:
        """Return how many more deliveries may be claimed at once, so that `why` is not late."""
        return MOST_AT_ONCE if self._max_handled is None else ceil(self._max_handled) - handled

    def _spare_the_fresh(self) -> None:
        """Raise a memory limit that the worker has reached before its first message."""
        size = resident_bytes(os.getpid())
        if self._max_memory is not None and size is not None and size >= self._max_memory:
            self._max_memory = size * _ROOM
            log.warning(
                "max-memory is below the size of a fresh worker: the limit is raised",
                fresh_mebibytes=size >> 20,
                bound_mebibytes=int(self._max_memory) >> 20,
            )


def _jittered(bound: float | None) -> float | None:
    return None if bound is None else bound * jitter.uniform(_EARLIEST, 1)
