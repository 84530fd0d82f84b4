"""A thread that interrupts handlers over their soft timeout, or whose lease is lost."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable

from ....app.exceptions import SoftTimeout
from ....store.engine import Engine
from ....store.errors import LeaseLost
from ....store.rules.lease_timing import LeaseTiming
from ..attempt import Attempt
from .interrupt import Interrupts

_AGAIN_SECONDS = 0.02


class Interrupter:
    """Watches the handlers that run; it never waits for the store.

    A lease counts as lost when a sixth of it is left, so that the handler can clean up before
    another worker claims the delivery.

    Attributes:
        interrupts: How handlers in the main thread are interrupted.
    """

    def __init__(self, engine: Engine, lease: float, on_cancel: Callable[[], None]) -> None:
        self._engine = engine
        timing = LeaseTiming(lease)
        self._stop_left_ms, self._looks_seconds = timing.stop_left_ms, timing.worker_looks_seconds
        self._stopwatch_ms = engine.clock.stopwatch_ms
        self._on_cancel = on_cancel
        self._cancels = 0
        self._watched: set[Attempt] = set()
        self._lock = threading.Lock()
        self._wakes_at = math.inf
        self._stopped = False
        # Safe in a signal handler, unlike anything with a Python lock.
        self._nudges: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="interrupter", daemon=True)
        self.interrupts = Interrupts(self.look)

    def start(self) -> None:
        """Start the thread; call it in the main thread."""
        self.interrupts.install()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._stopped = True
        self.look()
        self._thread.join()

    def look(self) -> None:
        """Look at all handlers now; safe in a signal handler."""
        self._nudges.put(None)

    def begin(self, attempt: Attempt) -> None:
        """Watch a handler until `end`."""
        left_ms = attempt.lease.least_ends_ms - self._stop_left_ms - self._stopwatch_ms()
        at = min(attempt.soft_at, attempt.began + left_ms / 1000)
        with self._lock:
            self._watched.add(attempt)
            if at < self._wakes_at:
                self._wakes_at = at
                self.look()

    def end(self, attempt: Attempt) -> None:
        """Stop watching a handler."""
        with self._lock:
            self._watched.discard(attempt)

    def _due(self, attempt: Attempt) -> float:
        """Return when to interrupt a handler, on time.monotonic()."""
        if attempt.warned or attempt.context.told:
            return attempt.soft_at
        if attempt.lease.refused:
            return -math.inf
        left_ms = attempt.lease.ends_ms - self._stop_left_ms - self._stopwatch_ms()
        return min(attempt.soft_at, time.monotonic() + left_ms / 1000)

    def _run(self) -> None:
        again_at = 0.0
        while not self._stopped:
            with self._lock:
                now = time.monotonic()
                due = [each for each in self._watched if self._due(each) <= now]
                for attempt in due:
                    self._interrupt(attempt, now)
                self._wakes_at = min(map(self._due, self._watched), default=math.inf)
            if self._cancels != self.interrupts.cancels:
                self._cancels = self.interrupts.cancels
                self._on_cancel()
            wait = self._wakes_at - time.monotonic()
            if wait != math.inf:
                wait = min(wait, self._looks_seconds)
            if self.interrupts.pending:
                if again_at <= time.monotonic():
                    self.interrupts.send()
                    again_at = time.monotonic() + _AGAIN_SECONDS
                wait = min(wait, again_at - time.monotonic())
            try:
                self._nudges.get(timeout=None if wait == math.inf else max(0.0, wait))
            except queue.Empty:
                continue

    def _interrupt(self, attempt: Attempt, now: float) -> None:
        if attempt.soft_at <= now:
            attempt.soft_at = math.inf
            limit = attempt.handler.soft_timeout or 0
            over = SoftTimeout(f"over its soft timeout of {limit:g} s")
            attempt.interrupt(over, lambda: True)
            return
        attempt.lease.refused = attempt.warned = True
        what, path = attempt.claim.hold.what, self._engine.identity.address
        lost = LeaseLost(what, cause="expired", operation="renew", path=path)
        # A call to the store may tell it first: once is enough, while it cleans up.
        attempt.interrupt(lost, lambda: not attempt.context.told)
