"""Keeping a lease while its handler works: a thread with a store of its own."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, replace

from ..store.engine import Engine, Hold
from ..store.errors import FencepostError, LeaseLost
from .log import log

_REPORT_SECONDS = 1.0
_RETRY_SECONDS = 0.5
_UPKEEP_SECONDS = 10.0


@dataclass(slots=True, eq=False)
class Watch:
    """One lease being kept.

    Attributes:
        ends: time.monotonic() after which nobody here may believe in the lease. It counts
            from before the store was asked, so it is early rather than late.
        lost: True from then on, or from the store's refusal.
    """

    hold: Hold
    ends: float
    lost: bool = False


@dataclass(slots=True)
class _Report:
    state: str
    handled: int


class Keeper:
    """Renews the lease in work at a third of its length, reports, and keeps the store up."""

    def __init__(self, engine: Engine, worker: int, lease: float) -> None:
        self._engine = engine
        self._worker = worker
        self._lease = lease
        self._watch: Watch | None = None
        self._now = _Report("starting", 0)
        self._said = _Report("starting", 0)
        self._said_at = 0.0
        self._upkeep_at = 0.0
        self._wakes_at = math.inf
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def keep(self, hold: Hold, asked_at: float) -> Watch:
        """Renew this lease until `drop`; `asked_at` is time.monotonic() before it was claimed."""
        watch = Watch(hold, asked_at + self._lease)
        with self._changed:
            self._watch = watch
            self._now.state = "busy"
            self._nudge(min(self._renewal(watch), self._said_at + _REPORT_SECONDS))
        return watch

    def drop(self, *, handled: bool) -> None:
        """Renew no longer: the delivery is settled."""
        with self._changed:
            self._watch = None
            self._now.handled += handled

    def say(self, state: str) -> None:
        """Have the worker's state told to the store, within a second."""
        with self._changed:
            self._now.state = state
            if self._now != self._said:
                self._nudge(self._said_at + _REPORT_SECONDS)

    def _nudge(self, at: float) -> None:
        # Waking a thread for every message would cost more than the message.
        if at < self._wakes_at:
            self._changed.notify()

    def _renewal(self, watch: Watch) -> float:
        return watch.ends - self._lease * 2 / 3

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                watch = self._watch
                self._wakes_at = self._next(watch)
                wait = self._wakes_at - time.monotonic()
                if wait > 0:
                    self._changed.wait(None if wait == math.inf else wait)
                    continue
                report = replace(self._now)
            if watch is not None and not watch.lost and time.monotonic() >= self._renewal(watch):
                self._renew(watch)
            self._report(report)
            self._keep_up()

    def _next(self, watch: Watch | None) -> float:
        renewal = math.inf if watch is None or watch.lost else self._renewal(watch)
        report = math.inf if self._now == self._said else self._said_at + _REPORT_SECONDS
        return min(renewal, report, self._upkeep_at)

    def _renew(self, watch: Watch) -> None:
        asked_at = time.monotonic()
        try:
            self._engine.renew(watch.hold, round(self._lease * 1000))
        except LeaseLost:
            watch.lost = True
        except FencepostError:
            # The store may be back before the lease ends; until then nothing is lost.
            if time.monotonic() >= watch.ends:
                watch.lost = True
            time.sleep(min(_RETRY_SECONDS, self._lease / 10))
        else:
            watch.ends = asked_at + self._lease

    def _report(self, report: _Report) -> None:
        if report == self._said or time.monotonic() < self._said_at + _REPORT_SECONDS:
            return
        self._said_at = time.monotonic()
        try:
            self._engine.report(self._worker, report.state, report.handled)
        except FencepostError:
            return  # said again in a second; a report is for the eye only
        self._said = report

    def _keep_up(self) -> None:
        """Do one round of the store's upkeep, unless another process does it."""
        if time.monotonic() < self._upkeep_at:
            return
        tick = self._engine.upkeep.tick()
        for alarm in () if tick is None else tick.alarms:
            log.warning(alarm, store=self._engine.path)
        more = tick is not None and tick.outcome == "incomplete"
        self._upkeep_at = time.monotonic() + (_REPORT_SECONDS if more else _UPKEEP_SECONDS)
