"""Faults in how a pool deals with messages that end or hang their workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ...store.engine import Hold
from ...workers.process.process import End, ManagedProcess
from ...workers.process.role_group import RoleGroup
from ...workers.supervisor.dead_workers import DeadWorkers
from ...workers.supervisor.lease_renewer import LeaseRenewer
from ...workers.worker.in_progress import InProgress, SupervisedLease
from ..harness.canary import Canary


def _crashes_never_counted() -> None:
    def never(self: DeadWorkers, end: End) -> bool:
        return False

    DeadWorkers._is_to_blame = never  # type: ignore[method-assign]


def _timeouts_ignored() -> None:
    begin = InProgress.begin

    def begin_for_ever(
        self: InProgress, hold: Hold, ends_ms: int, timeout: float | None = None
    ) -> SupervisedLease:
        return begin(self, hold, ends_ms)

    InProgress.begin = begin_for_ever  # type: ignore[method-assign]


def _nobody_renews() -> None:
    def renew(self: LeaseRenewer, workers: Sequence[ManagedProcess]) -> None:
        pass

    LeaseRenewer._renew = renew  # type: ignore[method-assign]


def _every_death_counts() -> None:
    def always(self: DeadWorkers, end: End) -> bool:
        return not end.by_supervisor

    DeadWorkers._is_to_blame = always  # type: ignore[method-assign]


def _takes_all_down() -> None:
    clear = RoleGroup.clear

    def clear_all(self: RoleGroup) -> list[tuple[ManagedProcess, End]]:
        gone = clear(self)
        if any(end.work.claims for _, end in gone):
            for each in self:
                each.kill("one of them has died")
        if gone:
            self.start_at = time.monotonic() + 3
        return gone

    RoleGroup.clear = clear_all  # type: ignore[method-assign]


def _canary(name: str, about: str, trips: str, plant: Callable[[], None]) -> Canary:
    return Canary(name, about, scenario="poison", trips=trips, plant=plant)


CANARIES = (
    _canary(
        "crashes-never-counted",
        "no death of a worker is held against what it had in work",
        "poison-is-buried",
        _crashes_never_counted,
    ),
    _canary(
        "timeouts-ignored",
        "nobody kills a worker whose handler is over its timeout",
        "poison-is-buried",
        _timeouts_ignored,
    ),
    _canary(
        "nobody-renews",
        "the supervisor does not renew for its workers",
        "not-handled-twice",
        _nobody_renews,
    ),
    _canary(
        "every-death-counts",
        "each death of a worker is held against what it had in work",
        "innocents-spared",
        _every_death_counts,
    ),
    _canary(
        "takes-all-down",
        "a worker that dies over a message takes all others with it, for some time",
        "others-go-on",
        _takes_all_down,
    ),
)
