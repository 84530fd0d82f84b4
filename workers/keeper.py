"""Keeping a lease while its handler works: a thread with a store of its own."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, replace

from ..store.engine import Engine, Hold
from ..store.engine.pools import Report
from ..store.errors import FencepostError, LeaseLost
from ..store.renewal import Tenure
from .log import log

_REPORT_SECONDS = 1.0
_RETRY_SECONDS = 0.5
_UPKEEP_SECONDS = 10.0


@dataclass(slots=True)
class _Report:
    state: str
    handled: int


class Keeper:
    """Renews the lease in work at a third of its length, reports, and keeps the store up."""

    def __init__(self, engine: Engine, worker: int, lease: float) -> None:
        self._engine = engine
        self._worker = worker
        self._lease_ms = round(lease * 1000)
        self._tenure: Tenure | None = None
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

    def keep(self, hold: Hold, asked_ms: int) -> Tenure:
        """Renew this lease until `drop`; `asked_ms` is the store's clock before it was claimed."""

        def renew(engine: Engine, lease_ms: int) -> int:
            return engine.renew(hold, lease_ms)

        tenure = Tenure(self._engine, renew, asked_ms=asked_ms, ttl_ms=self._lease_ms)
        with self._changed:
            self._tenure = tenure
            self._now.state = "busy"
            self._nudge(min(self._renewal(tenure), self._said_at + _REPORT_SECONDS))
        return tenure

    def drop(self, *, handled: bool) -> None:
        """Renew no longer: the delivery is settled."""
        with self._changed:
            self._tenure = None
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

    def _renewal(self, tenure: Tenure) -> float:
        """Return when to renew, on time.monotonic()."""
        due_ms = tenure.ends_ms - self._lease_ms * 2 // 3
        return time.monotonic() + (due_ms - self._engine.now_ms()) / 1000

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                tenure = self._tenure
                self._wakes_at = self._next(tenure)
                wait = self._wakes_at - time.monotonic()
                if wait > 0:
                    self._changed.wait(None if wait == math.inf else wait)
                    continue
                report = replace(self._now)
            if tenure is not None and not tenure.lost:
                self._renew(tenure)
            self._report(report)
            self._keep_up()

    def _next(self, tenure: Tenure | None) -> float:
        renewal = math.inf if tenure is None or tenure.lost else self._renewal(tenure)
        report = math.inf if self._now == self._said else self._said_at + _REPORT_SECONDS
        return min(renewal, report, self._upkeep_at)

    def _renew(self, tenure: Tenure) -> None:
        if time.monotonic() < self._renewal(tenure):
            return
        try:
            tenure.renew(self._engine, self._lease_ms)
        except LeaseLost:
            return  # and the tenure knows
        except FencepostError:
            # The store may be back before the lease ends; until then nothing is lost.
            time.sleep(min(_RETRY_SECONDS, self._lease_ms / 10_000))

    def _report(self, report: _Report) -> None:
        if report == self._said or time.monotonic() < self._said_at + _REPORT_SECONDS:
            return
        self._said_at = time.monotonic()
        try:
            self._engine.pools.report(self._worker, Report(report.state, report.handled))
        except FencepostError:
            return  # said again in a second; a report is for the eye only
        self._said = report

    def _keep_up(self) -> None:
        """Do one round of the store's upkeep, unless another process does it."""
        if time.monotonic() < self._upkeep_at:
            return
        self._upkeep_at = time.monotonic() + _UPKEEP_SECONDS
        try:
            tick = self._engine.upkeep.tick()
        except FencepostError as error:
            log.warning("upkeep failed", error=str(error))
            return
        if tick is None:
            return
        for alarm in tick.alarms:
            log.warning(alarm, store=self._engine.path)
        if tick.outcome == "incomplete":
            self._upkeep_at = time.monotonic() + _REPORT_SECONDS
