"""Watching over handlers that may hold the interpreter: their time, and their leases.

A worker renews its own leases, in a thread; a loop in C that does not let go of the
interpreter stops that thread with all others. Then the supervisor renews in its place.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..store.engine import Engine
from ..store.errors import FencepostError
from .incarnation import Incarnation
from .log import log
from .page import Work

# What is left of a lease when its worker is killed because nobody could renew it.
_LAST_SHARE = 0.05
_LAST_MS = 50
# Who was stopped, or slept with the machine, sees for itself that its lease is gone.
_WAKING_SECONDS = 2.0


class Guard:
    """Looks at the pages of workers, in their supervisor.

    Attributes:
        pause: Seconds after which to look again.
    """

    def __init__(self, engine: Engine, lease: float) -> None:
        self.pause = min(0.25, lease / 12)
        self._engine = engine
        self._lease_ms = round(lease * 1000)
        self._renewed: dict[int, int] = {}
        self._spared: dict[int, float] = {}
        self._looked_at = time.monotonic()

    def look(self, workers: Iterable[Incarnation]) -> None:
        """Kill whose time is up, renew for those who cannot, kill whose lease runs out."""
        now = time.monotonic()
        slept = now - self._looked_at > _WAKING_SECONDS
        self._looked_at = now
        now_ms = self._engine.now_ms()
        for each in workers:
            if slept:
                self._spare(each)
            work = each.page.read()
            if not each.worker or work is None or work.ends_ms is None:
                continue
            if work.kill_at_ms is not None and now_ms >= work.kill_at_ms:
                each.kill("its handler was over its timeout")
            else:
                self._look_at_lease(each, each.worker, work, now_ms)

    def forget(self, each: Incarnation) -> None:
        """Drop what was known of a process that has ended."""
        self._renewed.pop(each.pid, None)
        self._spared.pop(each.pid, None)

    def _look_at_lease(self, each: Incarnation, worker: int, work: Work, now_ms: int) -> None:
        assert work.ends_ms is not None
        ends_ms = max(work.ends_ms, self._renewed.get(each.pid, 0))
        # It renews at a third itself.
        if ends_ms - now_ms > self._lease_ms // 2:
            return
        if each.is_stopped():
            self._spare(each)
        elif ends_ms - now_ms > max(_LAST_MS, self._lease_ms * _LAST_SHARE):
            self._renew(each, worker)
        elif time.monotonic() >= self._spared.get(each.pid, 0):
            each.kill("its lease could not be renewed")

    def _renew(self, each: Incarnation, worker: int) -> None:
        try:
            ends_ms = self._engine.pools.renew_owned(worker, self._lease_ms)
        except FencepostError as error:
            log.warning("lease not renewed yet", worker=worker, error=str(error))
        else:
            if ends_ms is not None:
                self._renewed[each.pid] = ends_ms

    def _spare(self, each: Incarnation) -> None:
        self._spared[each.pid] = time.monotonic() + max(_WAKING_SECONDS, self._lease_ms / 2000)
