"""The supervisor: starts processes, replaces the dead one alone, ends them all."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from multiprocess.connection import wait

from ..store import Store
from ..store.errors import FencepostError
from .log import log
from .slot import Role, Slot

# Kubernetes and Heroku kill 30 s after SIGTERM; this leaves time to give claims back.
GRACE_SECONDS = 25.0

_RESCUE_SECONDS = 5.0
_DONE_SECONDS = 0.1
_MAX_FALSE_STARTS = 5


class Supervisor:
    """Runs the processes of some roles, in this thread, until it is told to stop.

    Args:
        done: Asked ten times a second; True ends the run as SIGTERM would.
        on_ready: Called once, when every process is up for the first time.
    """

    def __init__(
        self,
        store: Store,
        roles: Sequence[Role],
        *,
        done: Callable[[], bool] | None = None,
        on_ready: Callable[[], None] | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._store = store
        self._slots = [Slot(role) for role in roles for _ in range(role.count)]
        self._done = done
        self._on_ready = on_ready
        self._grace = grace
        self._stops = 0
        self._failed = False
        self._rescue_at = 0.0

    def run(self) -> bool:
        """Run until SIGTERM, SIGINT or done; a second signal kills at once.

        Claims of processes that do not end within the grace time are given back.
        Returns False when a process could not be started, five times in a row.
        """
        with _signals_to(self._stop) as signals:
            try:
                while not self._stops:
                    self._rescue()
                    self._fill()
                    self._listen(signals)
                    if self._done is not None and self._done():
                        self._stops += 1
                self._end(signals)
            finally:
                for slot in self._slots:
                    slot.signal(signal.SIGKILL)
        return not self._failed

    def _stop(self) -> None:
        self._stops += 1

    def _rescue(self) -> None:
        """Give back what workers hold whose process is gone, of this pool or an earlier one."""
        if time.monotonic() < self._rescue_at:
            return
        self._rescue_at = time.monotonic() + _RESCUE_SECONDS
        with contextlib.suppress(FencepostError):  # tried again in five seconds
            for worker in self._store.workers():
                if worker.state == "lost":
                    self._retire(worker.id, f"worker process {worker.pid} is gone")

    def _fill(self) -> None:
        for slot in self._slots:
            if slot.process is None and time.monotonic() >= slot.start_at:
                slot.start()

    def _listen(self, signals: int) -> None:
        """Wait until a process says something or ends, a signal comes, or time is up."""
        lines = {slot.line: slot for slot in self._slots if slot.line is not None}
        ends = {slot.end: slot for slot in self._slots if slot.process is not None}
        for event in wait([*lines, *ends, signals], self._pause()):
            if event in lines:
                lines[event].hear()
                self._announce()
            elif event in ends:
                self._bury(ends[event])
            else:
                os.read(signals, 64)
        for slot in self._slots:
            slot.kill_when_over()

    def _pause(self) -> float:
        times = [self._rescue_at]
        times += [slot.start_at for slot in self._slots if slot.process is None]
        times += [slot.kill_at for slot in self._slots if slot.kill_at is not None]
        pause = max(0.0, min(times) - time.monotonic())
        return pause if self._done is None else min(pause, _DONE_SECONDS)

    def _announce(self) -> None:
        if self._on_ready is not None and all(slot.ready for slot in self._slots):
            self._on_ready()
            self._on_ready = None

    def _bury(self, slot: Slot) -> None:
        """Clear a dead process away; what it held can be claimed from here on."""
        worker, why = slot.empty()
        if worker:
            self._retire(worker, why)
        else:
            log.info("process ended", why=why)
        if slot.false_starts >= _MAX_FALSE_STARTS:
            log.error("giving up: a process does not start", role=slot.role.name)
            self._failed = True
            self._stops += 1

    def _retire(self, worker: int, why: str) -> None:
        try:
            left = self._store.engine.retire(worker, why)
        except FencepostError as error:
            log.warning("claims not given back yet", worker=worker, error=str(error))
            self._rescue_at = time.monotonic() + 1
        else:
            log.info("process ended", why=why, worker=worker, given_back=left)

    def _end(self, signals: int) -> None:
        """End all processes: SIGTERM, the grace time, SIGKILL."""
        for slot in self._slots:
            slot.signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        log.info("stopping", grace=self._grace)
        while running := [slot for slot in self._slots if slot.process is not None]:
            if time.monotonic() >= deadline or self._stops > 1:
                for slot in running:
                    slot.signal(signal.SIGKILL)
            ends = {slot.end: slot for slot in running}
            for event in wait([*ends, signals], max(0.05, deadline - time.monotonic())):
                if event in ends:
                    self._bury(ends[event])
                else:
                    os.read(signals, 64)


@contextlib.contextmanager
def _signals_to(stop: Callable[[], None]) -> Iterator[int]:
    """Call `stop` at SIGTERM and SIGINT; yield a descriptor that they make readable."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(reading)
        os.close(writing)
