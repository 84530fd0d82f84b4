"""Giving back at once what the dead had in work."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import Literal, NamedTuple

from ..store.engine import Engine
from ..store.errors import FencepostError
from .incarnation import End, Incarnation
from .log import log

_ROUND_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_REMEMBERED = 1000


class _Ending(NamedTuple):
    """How a worker ended, as the register is told."""

    why: str
    kind: Literal["stopped", "killed"]
    crashed: bool


class Rescue:
    """Strikes dead workers off the store's register, of this pool and of earlier ones.

    Attributes:
        due: time.monotonic() from which to look for others' dead.
    """

    def __init__(self, engine: Engine) -> None:
        self.due = 0.0
        self._engine = engine
        self._killed: dict[int, None] = {}
        # How those ended whose end the store could not be told yet.
        self._untold: dict[int, _Ending] = {}

    def look(self) -> None:
        """Take back what workers and pools hold whose process is gone without a trace here."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + _ROUND_SECONDS
        with contextlib.suppress(FencepostError):  # tried again in five seconds
            for worker in self._engine.pools.workers():
                if worker.state == "lost":
                    gone = _Ending(f"worker process {worker.pid} is gone", "killed", crashed=False)
                    self._retire(worker.id, self._untold.pop(worker.id, gone))
            for pool in self._engine.pools.pools():
                if pool.state == "lost":
                    self._engine.pools.end(pool.id, f"supervisor process {pool.pid} is gone")

    def take(self, each: Incarnation, end: End) -> None:
        """Take back what a process had that has just ended."""
        if each.worker:
            crashed = self._is_to_blame(each, end)
            kind: Literal["stopped", "killed"] = "killed" if end.signal else "stopped"
            self._retire(each.worker, _Ending(end.why, kind, crashed))
        else:
            log.info("process ended", why=end.why)

    def _is_to_blame(self, each: Incarnation, end: End) -> bool:
        """True when what it had in work is taken to have ended it.

        A SIGKILL may be the kernel's, for memory that a handler took, or anybody's. One
        that hits the same delivery again is held against it, unless another was hit between.
        """
        if each.killed_for or not end.work.claims:
            return False
        if end.signal != signal.SIGKILL:
            return end.own_doing or not end.signal
        hit = end.work.delivery
        again = next(reversed(self._killed), None) == hit
        known = hit in self._killed
        self._killed.pop(hit, None)
        self._killed[hit] = None
        if len(self._killed) > _REMEMBERED:
            del self._killed[next(iter(self._killed))]
        return again or not known

    def _retire(self, worker: int, ending: _Ending) -> None:
        try:
            left = self._engine.pools.retire(
                worker, ending.why, kind=ending.kind, crashed=ending.crashed
            )
        except FencepostError as error:
            log.warning("claims not given back yet", worker=worker, error=str(error))
            self._untold[worker] = ending
            self.due = time.monotonic() + _AGAIN_SECONDS
        else:
            log.info("process ended", why=ending.why, worker=worker, given_back=left)
