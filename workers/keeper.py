"""Keeping leases while their handlers work: a thread with a store of its own."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..store.engine import Engine, Hold
from ..store.engine.pools import Report
from ..store.errors import FencepostError, LeaseLost
from ..store.renewal import Tenure
from .log import log
from .page import Page
from .recycle import resident_bytes

_REPORT_SECONDS = 1.0
_RETRY_SECONDS = 0.5
_UPKEEP_SECONDS = 10.0

# What is due within this part of a lease is renewed with what is due now.
_TOGETHER = 0.1


class Keeper:
    """Renews the leases in work at a third of their length, reports, and keeps the store up.

    Attributes:
        ended: Attempts at deliveries that have come to their end.
        on_lost: Called when a lease was found lost.
    """

    def __init__(self, engine: Engine, worker: int, lease: float, page: Page) -> None:
        self._engine = engine
        self._worker = worker
        self._lease_ms = round(lease * 1000)
        self._page = page
        self._kept: dict[int, tuple[Hold, Tenure]] = {}
        self._state = "starting"
        self._handled = 0
        self._said = Report("starting", 0)
        self._said_at = 0.0
        self._upkeep_at = 0.0
        self._wakes_at = math.inf
        self._stopped = False
        self._claimed: tuple[int, int] | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self.ended = 0
        self.on_lost: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def keep(self, hold: Hold, asked_ms: int, timeout: float | None = None) -> Tenure:
        """Renew this lease until `drop`.

        Args:
            asked_ms: The store's clock before it was claimed.
            timeout: Seconds after which the supervisor kills this process, until `spare`.
        """

        def renew(engine: Engine, lease_ms: int) -> int:
            return engine.renew(hold, lease_ms)

        tenure = Tenure(self._engine, renew, asked_ms=asked_ms, ttl_ms=self._lease_ms)
        kill_at_ms = None if timeout is None else self._engine.now_ms() + round(timeout * 1000)
        with self._changed:
            self._kept[hold.fence] = hold, tenure
            self._claimed = hold.id, hold.fence
            self._page.hold(hold.id, tenure.ends_ms, kill_at_ms)
            self._nudge(min(self._renewal(tenure), self._said_at + _REPORT_SECONDS))
        return tenure

    def spare(self, hold: Hold) -> None:
        """Say that the handler has returned."""
        with self._changed:
            self._page.drop(hold.id)

    def drop(self, hold: Hold, *, handled: bool) -> None:
        """Renew no longer: the delivery is settled."""
        with self._changed:
            del self._kept[hold.fence]
            self._handled += handled
            self.ended += 1

    def say(self, state: str) -> None:
        """Have the worker's state told to the store, within a second; it is busy by itself."""
        with self._changed:
            self._state = state
            if self._now() != self._said:
                self._nudge(self._said_at + _REPORT_SECONDS)

    def _now(self) -> Report:
        busy = self._state == "idle" and self._kept
        return Report("busy" if busy else self._state, self._handled)

    def _nudge(self, at: float) -> None:
        # Waking a thread for every message would cost more than the message.
        if at < self._wakes_at:
            self._changed.notify()

    def _renewal(self, tenure: Tenure) -> float:
        """Return when to renew, on time.monotonic()."""
        if tenure.lost:
            return math.inf
        due_ms = tenure.ends_ms - self._lease_ms * 2 // 3
        return time.monotonic() + (due_ms - self._engine.now_ms()) / 1000

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                renewals = [(self._renewal(tenure), hold, tenure) for hold, tenure in self._held()]
                self._wakes_at = min(
                    min((at for at, _, _ in renewals), default=math.inf),
                    math.inf if self._now() == self._said else self._said_at + _REPORT_SECONDS,
                    self._upkeep_at,
                )
                wait = self._wakes_at - time.monotonic()
                if wait > 0:
                    self._changed.wait(None if wait == math.inf else wait)
                    continue
                report = self._now()
            now = time.monotonic()
            if any(at <= now for at, _, _ in renewals):
                soon = now + self._lease_ms * _TOGETHER / 1000
                self._renew([(hold, tenure) for at, hold, tenure in renewals if at <= soon])
            self._report(report)
            self._keep_up()

    def _held(self) -> list[tuple[Hold, Tenure]]:
        return list(self._kept.values())

    def _renew(self, due: Sequence[tuple[Hold, Tenure]]) -> None:
        """Renew leases in one transaction; one that is lost takes no other with it."""
        asked_ms = self._engine.now_ms()
        renewed = []
        try:
            with self._engine.transaction("renew"):
                for hold, tenure in due:
                    try:
                        self._engine.renew(hold, self._lease_ms)
                    except LeaseLost:
                        tenure.refused = True
                    else:
                        renewed.append((hold, tenure))
        except FencepostError:
            # The store may be back before the leases end; until then nothing is lost.
            time.sleep(min(_RETRY_SECONDS, self._lease_ms / 10_000))
        else:
            with self._changed:
                for hold, tenure in renewed:
                    # Neither the store nor this ever shortens it, so threads may renew in any order.
                    tenure.ends_ms = max(tenure.ends_ms, asked_ms + self._lease_ms)
                    self._page.renewed(hold.id, tenure.ends_ms)
        if len(renewed) < len(due):
            self.on_lost()

    def _report(self, report: Report) -> None:
        if report == self._said or time.monotonic() < self._said_at + _REPORT_SECONDS:
            return
        self._said_at = time.monotonic()
        try:
            memory, claimed = resident_bytes(), self._claimed
            self._engine.pools.report(self._worker, replace(report, memory=memory, claimed=claimed))
        except FencepostError:
            return  # said again in a second; a report is for the eye only
        self._said = report
        with self._changed:
            if self._claimed == claimed:
                self._claimed = None

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
