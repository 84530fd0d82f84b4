"""Dead workers: their claims are released at once, and the register is told how they ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from ....log.log import log
from ....store.engine import Engine
from ....store.engine.pools.verbs import Report
from ....store.errors import FencepostError
from ....store.rules.failures.blame import Blame
from ....store.types.worker import Progress
from ...process.managed_process import End, ManagedProcess
from ..damage import Damage

_ROUND_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_REMEMBERED = 1000


class _Ending(NamedTuple):
    """How a worker ended, as the register stores it."""

    why: str
    kind: Literal["stopped", "killed"]
    crashed: bool = False
    overdue: int | None = None
    last: Report | None = None
    progress: Progress | None = None


class DeadWorkers:
    """Removes dead workers from the store's register: this pool's, and those of dead pools.

    Attributes:
        due: time.monotonic() at which to look for dead pools and their workers again.
    """

    def __init__(self, engine: Engine, pool: int | None, damage: Damage | None = None) -> None:
        """`pool` is the id of this pool, None if it has no workers."""
        self.due = 0.0
        self._engine = engine
        self._pool = pool
        self._damage = damage or Damage()
        self._killed: dict[int, None] = {}
        self._at_once: set[int] = set()
        # How workers ended whose end the store could not be told yet.
        self._untold: dict[int, _Ending] = {}

    def look(self, known: Collection[int] = (), unheard: Collection[int] = ()) -> None:
        """Release the claims of workers whose process is gone, and remove dead pools.

        Args:
            known: The workers that this supervisor has still to collect; such a worker may
                have closed its store already, which looks the same.
            unheard: The pids of others that it has to collect, whose first word it has not
                read. One may have worked already, and its page says how far it was.
        """
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + _ROUND_SECONDS
        try:
            self._look(known, unheard)
        except FencepostError as error:
            self._damage.met(error)  # any other error: the next round tries again

    def _look(self, known: Collection[int], unheard: Collection[int]) -> None:
        gone = self._engine.pools.liveness.gone()
        pools = self._engine.pools.pools()
        # The supervisor of another live pool knows best how its workers ended.
        others = {each.id for each in pools} - gone.pools.keys() - {self._pool}
        workers = self._engine.pools.workers()
        for gone_before in self._untold.keys() - {each.id for each in workers}:
            del self._untold[gone_before]
        for worker in workers:
            its_own = worker.id in known or (worker.pool == self._pool and worker.pid in unheard)
            if worker.id in gone.workers and worker.pool not in others and not its_own:
                unseen = _Ending(f"worker process {worker.pid} is gone", "killed")
                ending = self._untold.pop(worker.id, unseen)
                if not self._retire(worker.id, ending):
                    return
        for pool in pools:
            if pool.id in gone.pools:
                self._engine.pools.end(pool.id, f"supervisor process {pool.pid} is gone")

    def together(self, ends: Sequence[End]) -> None:
        """Note which workers were found dead at the same time: their order is unknown."""
        self._at_once = {
            end.work.delivery
            for end in ends
            if end.signal == signal.SIGKILL and not end.by_supervisor
        }

    def take(self, each: ManagedProcess, end: End, last: Report | None) -> None:
        """Release the claims of a process that has just ended, and report its `last` news."""
        if each.worker:
            crashed = self._is_to_blame(end)
            kind: Literal["stopped", "killed"] = "killed" if end.signal else "stopped"
            overdue = each.overdue or None
            ending = _Ending(end.why, kind, crashed, overdue, last, end.progress)
            if self._untold:  # `look` asks the store: each wait for it blocks the pool
                self._untold[each.worker] = ending
            else:
                self._retire(each.worker, ending)
        else:
            log.info("process ended", why=end.why)

    def _is_to_blame(self, end: End) -> bool:
        """True if the handlers that it was running are to blame."""
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
        """Remove a worker from the register; False if the store could not be told yet."""
        try:
            left, done = self._engine.pools.retire(worker, **ending._asdict())
        except FencepostError as error:
            if not self._damage.met(error):
                log.warning(
                    "cannot release a dead worker's claims yet", worker=worker, error=str(error)
                )
            self._untold[worker] = ending
            self.due = time.monotonic() + _AGAIN_SECONDS
            return False
        for each in done:
            log.info("handled", delivery=f"d{each}", worker=worker)
        log.info("process ended", why=ending.why, worker=worker, given_back=left)
        return True
