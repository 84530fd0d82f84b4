"""Giving back at once what the dead had in work."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from ...log.log import log
from ...store.engine import Engine
from ...store.engine.pools import Report
from ...store.errors import FencepostError
from ...store.rules.blame import Blame
from ..process.process import End, ManagedProcess
from .damage import Damage

_ROUND_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_REMEMBERED = 1000


class _Ending(NamedTuple):
    """How a worker ended, as the register is told."""

    why: str
    kind: Literal["stopped", "killed"]
    crashed: bool = False
    overdue: int | None = None
    last: Report | None = None


class DeadWorkers:
    """Strikes dead workers off the store's register, of this pool and of earlier ones.

    Attributes:
        due: time.monotonic() from which to look for others' dead.
    """

    def __init__(self, engine: Engine, pool: int | None, damage: Damage | None = None) -> None:
        """`pool` is the id of its own, None when that has no workers."""
        self.due = 0.0
        self._engine = engine
        self._pool = pool
        self._damage = damage or Damage()
        self._killed: dict[int, None] = {}
        self._at_once: set[int] = set()
        # How those ended whose end the store could not be told yet.
        self._untold: dict[int, _Ending] = {}

    def look(self, known: Collection[int] = ()) -> None:
        """Take back what workers and pools hold whose process is gone without a trace here.

        `known`: the workers whose end is still to be seen; they may have closed their store.
        """
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + _ROUND_SECONDS
        try:
            self._look(known)
        except FencepostError as error:
            self._damage.met(error)  # anything else is tried again in five seconds

    def _look(self, known: Collection[int]) -> None:
        gone = self._engine.pools.liveness.gone()
        pools = self._engine.pools.pools()
        # How the worker of another pool ended that pool's supervisor knows best.
        others = {each.id for each in pools} - gone.pools.keys() - {self._pool}
        workers = self._engine.pools.workers()
        for gone_before in self._untold.keys() - {each.id for each in workers}:
            del self._untold[gone_before]
        for worker in workers:
            if worker.id in gone.workers and worker.pool not in others and worker.id not in known:
                unseen = _Ending(f"worker process {worker.pid} is gone", "killed")
                ending = self._untold.pop(worker.id, unseen)
                if not self._retire(worker.id, ending):
                    return
        for pool in pools:
            if pool.id in gone.pools:
                self._engine.pools.end(pool.id, f"supervisor process {pool.pid} is gone")

    def together(self, ends: Sequence[End]) -> None:
        """Say which ends were seen at once: nobody knows in which order they came."""
        self._at_once = {
            end.work.delivery
            for end in ends
            if end.signal == signal.SIGKILL and not end.by_supervisor
        }

    def take(self, each: ManagedProcess, end: End, last: Report | None) -> None:
        """Take back what a process had that has just ended, and report its `last`."""
        if each.worker:
            crashed = self._is_to_blame(end)
            kind: Literal["stopped", "killed"] = "killed" if end.signal else "stopped"
            ending = _Ending(end.why, kind, crashed, each.overdue or None, last)
            if self._untold:  # the store is asked in `look`: each wait for it holds up the pool
                self._untold[each.worker] = ending
            else:
                self._retire(each.worker, ending)
        else:
            log.info("process ended", why=end.why)

    def _is_to_blame(self, end: End) -> bool:
        """True when the handlers that it was running are taken to have ended it."""
        hit, killed = end.work.delivery, self._killed
        others_since = next(reversed(killed), hit) != hit or bool(self._at_once - {hit, 0})
        whose = end.blame(killed_before=hit in killed, others_since=others_since)
        if end.signal == signal.SIGKILL and end.work.claims and not end.by_supervisor:
            killed.pop(hit, None)
            killed[hit] = None
            if len(killed) > _REMEMBERED:
                del killed[next(iter(killed))]
        return whose is Blame.HANDLER

    def _retire(self, worker: int, ending: _Ending) -> bool:
        """Strike a worker off; False when the store could not be told, which is tried again."""
        try:
            left = self._engine.pools.retire(worker, **ending._asdict())
        except FencepostError as error:
            if not self._damage.met(error):
                log.warning(
                    "cannot release a dead worker's claims yet", worker=worker, error=str(error)
                )
            self._untold[worker] = ending
            self.due = time.monotonic() + _AGAIN_SECONDS
            return False
        log.info("process ended", why=ending.why, worker=worker, given_back=left)
        return True
