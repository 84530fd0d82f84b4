"""A thread of the supervisor that renews the leases of all workers.

A handler may hold the interpreter of its process in a loop in C, and then all threads of the
process stop. One that renewed leases would renew no more, and one in the middle of a
transaction would keep the whole store waiting. So only the main thread of a worker writes to
the store, and this thread does for the workers what must go on meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ...log.log import log
from ...store.engine import Engine
from ...store.errors import FencepostError
from ...store.rules.lease_timing import LeaseTiming
from ..process.managed_process import ManagedProcess
from ..process.shared_page import Renewal, Work
from .damage import Damage
from .reporter import Reporter
from .watching.stuck_workers import StuckWorkers

_UPKEEP_SECONDS = 10.0
_UPKEEP_AGAIN_SECONDS = 1.0


def effective_end(work: Work, renewal: Renewal | None) -> int:
    """Return when the first lease of a worker ends, on the stopwatch.

    Renewed leases end with the renewal. Newer ones began after it and end no sooner.
    """
    return max(work.ends_ms, 0 if renewal is None else renewal.until_ms)


class LeaseRenewer:
    """Renews leases in rounds; each round also takes back, reports, and does the store's upkeep.

    It has an opening of the store of its own. What fails in one round, because the store is
    busy, is done in the next: nothing is lost by that until a lease ends.

    Attributes:
        reporter: What tells the register of the workers.
    """

    def __init__(
        self,
        engine: Engine,
        lease: float,
        workers: Callable[[], Sequence[ManagedProcess]],
        damage: Damage | None = None,
        pool: int | None = None,
    ) -> None:
        """`pool` is the id of the workers' pool, None if it has none."""
        self._engine = engine
        self._pool = pool
        self._timing = LeaseTiming(lease)
        self._workers = workers
        self._damage = damage or Damage()
        self._beat_at = 0.0
        self.reporter = Reporter(engine)
        self._stuck = StuckWorkers(engine)
        self._upkeep_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._stopped.set()
        self._thread.join()

    def round(self) -> None:
        """Renew, report and do upkeep, as far as each is due."""
        try:
            workers = [each for each in self._workers() if each.worker]
            self._renew(workers)
            self._beat(workers)
            self._stuck.look(workers)
            self.reporter.report(workers)
            self._keep_up()
        except FencepostError as error:
            if not self._damage.met(error):
                log.warning("cannot renew leases", error=str(error))
        except Exception:  # noqa: BLE001 - all leases depend on the next round
            log.exception("cannot renew leases")

    def _run(self) -> None:
        while not self._stopped.wait(self._timing.supervisor_looks_seconds):
            self.round()

    def _renew(self, workers: Sequence[ManagedProcess]) -> None:
        """Renew the leases that are due, and those due soon, in one transaction."""
        asked_ms = self._engine.clock.stopwatch_ms()
        due_ms, soon_ms = self._timing.renew_left_ms, self._timing.renew_together_left_ms
        left = {
            each: effective_end(work, each.page.renewal) - asked_ms
            for each in workers
            if (work := each.page.work) is not None and work.claims
        }
        if not any(ms <= due_ms for ms in left.values()):
            return
        # A stopped worker would continue later with what another worker has claimed by then.
        due = {each: ms for each, ms in left.items() if ms <= soon_ms and not each.is_stopped()}
        renewed = self._engine.pools.renew_owned(
            [each.worker for each in due if each.worker], self._timing.ms
        )
        for each, ms in due.items():
            if each.worker in renewed:
                since_ms = (each.page.renewal or Renewal()).since_ms
                if ms <= 0:  # one has expired; newer ones have not
                    since_ms = asked_ms + max(ms, -due_ms)
                each.page.renewal = Renewal(since_ms, asked_ms, asked_ms + renewed[each.worker])

    def _beat(self, workers: Sequence[ManagedProcess]) -> None:
        """Send a heartbeat for the pool and its workers, if the store needs one to know who lives."""
        liveness = self._engine.pools.liveness
        if self._pool is None or (seconds := liveness.beat_seconds) is None:
            return
        if time.monotonic() >= self._beat_at:
            liveness.beat(self._pool, [each.worker for each in workers if each.worker])
            self._beat_at = time.monotonic() + seconds

    def _keep_up(self) -> None:
        """Do one round of the store's upkeep, unless another process is doing it."""
        if time.monotonic() < self._upkeep_at:
            return
        self._upkeep_at = time.monotonic() + _UPKEEP_SECONDS
        tick = self._engine.upkeep.tick()
        if tick is None:
            return
        for alarm in tick.alarms:
            log.warning(alarm, store=self._engine.identity.address)
        if tick.outcome == "incomplete":
            self._upkeep_at = time.monotonic() + _UPKEEP_AGAIN_SECONDS
