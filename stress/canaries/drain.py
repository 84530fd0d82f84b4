"""Faults in how a pool ends that is told to."""

from __future__ import annotations

from ...workers.supervisor.supervisor import Supervisor
from ...workers.worker.worker import Worker
from ..harness.canary import Canary


def _silent_at_the_end() -> None:
    stop = Supervisor._stop

    def stop_renewing(self: Supervisor) -> None:
        stop(self)
        self._renewer._stopped.set()

    Supervisor._stop = stop_renewing  # type: ignore[method-assign]


def _claims_on() -> None:
    def stop(self: Worker) -> None:
        pass

    Worker.stop = stop  # type: ignore[method-assign]


def _killed_at_once() -> None:
    stop = Supervisor._stop

    def stop_and_kill(self: Supervisor) -> None:
        stop(self)
        self._processes.kill("it was told to stop")

    Supervisor._stop = stop_and_kill  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "silent-at-the-end",
        "leases are no longer renewed once a pool is told to stop",
        scenario="drain",
        trips="not-handled-twice",
        plant=_silent_at_the_end,
    ),
    Canary(
        "claims-on",
        "a worker that is told to stop goes on claiming",
        scenario="drain",
        trips="ends-in-grace",
        plant=_claims_on,
    ),
    Canary(
        "killed-at-once",
        "a supervisor that is told to stop kills its workers",
        scenario="drain",
        trips="not-handled-twice",
        plant=_killed_at_once,
    ),
)
