"""Keeping a pool's leases and its part of the register, from outside of its workers.

A handler may hold the interpreter of its process in a loop in C, and every thread of it
stops: one that renewed would renew no more, and one in the middle of a transaction would
keep the whole store waiting. So nothing but the main thread of a worker writes to the
store, and this does, in a thread of the supervisor, what has to go on meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ...linux.memory import resident_bytes
from ...log.log import log
from ...store.engine import Engine
from ...store.engine.pools import Report
from ...store.errors import FencepostError
from ...store.rules.lease_timing import LeaseTiming
from ..process.process import ManagedProcess
from ..process.shared_page import Renewal, Work
from .damage import Damage

_REPORT_SECONDS = 1.0
_MEMORY_SECONDS = 10.0
_UPKEEP_SECONDS = 10.0

# A worker's state, how many it has handled, its newest fence, and a moment.
_Said = tuple[str, int, int, int]
_NOTHING: _Said = ("", 0, 0, 0)


def effective_end(work: Work, renewal: Renewal | None) -> int:
    """Return when the first lease of what is in work ends, on the stopwatch.

    What was renewed ends with that; what is newer began after it, and ends no sooner.
    """
    return max(work.ends_ms, 0 if renewal is None else renewal.until_ms)


class LeaseRenewer:
    """Renews leases at a third of their length, reports, and keeps the store up.

    It has a store of its own. What it cannot do now, because the store is busy, it does in
    the next round; until a lease ends nothing is lost by that.
    """

    def __init__(
        self,
        engine: Engine,
        lease: float,
        workers: Callable[[], Sequence[ManagedProcess]],
        damage: Damage | None = None,
        pool: int | None = None,
    ) -> None:
        """`pool` is the id of that of the workers, None when it has none."""
        self._engine = engine
        self._pool = pool
        self._timing = LeaseTiming(lease)
        self._workers = workers
        self._damage = damage or Damage()
        self._said: dict[int, _Said] = {}
        self._beat_at = 0.0
        self._report_at = 0.0
        self._upkeep_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewer", daemon=True)

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._stopped.set()
        self._thread.join()

    def round(self) -> None:
        """Do what is due."""
        try:
            workers = [each for each in self._workers() if each.worker]
            self._renew(workers)
            self._beat(workers)
            self._report(workers)
            self._keep_up()
        except FencepostError as error:
            if not self._damage.met(error):
                log.warning("cannot renew leases", error=str(error))
        except Exception:  # noqa: BLE001 - all leases hang on the next round
            log.exception("cannot renew leases")

    def _run(self) -> None:
        while not self._stopped.wait(self._timing.supervisor_looks_seconds):
            self.round()

    def _renew(self, workers: Sequence[ManagedProcess]) -> None:
        """Renew for all whose leases are due, and for those who will be soon, at once."""
        asked_ms = self._engine.clock.stopwatch_ms()
        due_ms, soon_ms = self._timing.renew_left_ms, self._timing.renew_together_left_ms
        left = {
            each: effective_end(work, each.page.renewal) - asked_ms
            for each in workers
            if (work := each.page.work) is not None and work.claims
        }
        if not any(ms <= due_ms for ms in left.values()):
            return
        # Who was stopped would only go on later with what is by then another's.
        due = {each: ms for each, ms in left.items() if ms <= soon_ms and not each.is_stopped()}
        renewed = self._engine.pools.renew_owned(
            [each.worker for each in due if each.worker], self._timing.ms
        )
        for each, ms in due.items():
            if each.worker in renewed:
                since_ms = (each.page.renewal or Renewal()).since_ms
                if ms <= 0:  # one has lapsed; those that came later have not
                    since_ms = asked_ms + max(ms, -due_ms)
                each.page.renewal = Renewal(since_ms, asked_ms, asked_ms + renewed[each.worker])

    def _beat(self, workers: Sequence[ManagedProcess]) -> None:
        """Say who is alive, to a store that cannot know it from the kernel."""
        liveness = self._engine.pools.liveness
        if self._pool is None or (seconds := liveness.beat_seconds) is None:
            return
        if time.monotonic() >= self._beat_at:
            liveness.beat(self._pool, [each.worker for each in workers if each.worker])
            self._beat_at = time.monotonic() + seconds

    def _report(self, workers: Sequence[ManagedProcess]) -> None:
        """Have the register say what workers are at, for those of whom that is new."""
        if time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + _REPORT_SECONDS
        reports, news = {}, {}
        for each in workers:
            work = each.page.work
            if not each.worker or work is None:
                continue
            # What a long handler takes of memory is told from time to time.
            moment = int(time.monotonic() / _MEMORY_SECONDS) if work.claims else 0
            said = self._said.get(each.worker, _NOTHING)
            news[each.worker] = _state(work), work.handled, work.fence, moment
            if news[each.worker] != said:
                reports[each.worker] = _news(work, said, resident_bytes(each.pid))
        if reports:
            self._engine.pools.report(reports)
        self._said.update(news)

    def last(self, each: ManagedProcess, work: Work) -> Report | None:
        """Return what a worker that has ended had no time to have reported, None for nothing."""
        said = self._said.pop(each.worker or 0, _NOTHING)
        if (work.handled, work.fence) == said[1:3] and said is not _NOTHING:
            return None
        return _news(work, said, None)

    def _keep_up(self) -> None:
        """Do one round of the store's upkeep, unless another process does it."""
        if time.monotonic() < self._upkeep_at:
            return
        self._upkeep_at = time.monotonic() + _UPKEEP_SECONDS
        tick = self._engine.upkeep.tick()
        if tick is None:
            return
        for alarm in tick.alarms:
            log.warning(alarm, store=self._engine.identity.address)
        if tick.outcome == "incomplete":
            self._upkeep_at = time.monotonic() + _REPORT_SECONDS


def _state(work: Work) -> str:
    return "busy" if work.claims and work.state == "idle" else work.state


def _news(work: Work, said: _Said, memory: int | None) -> Report:
    claimed = (work.newest, work.fence) if work.fence != said[2] else None
    return Report(_state(work), work.handled, memory, claimed)
