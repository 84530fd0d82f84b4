"""Faults in how a supervisor keeps its workers."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence

from ...linux.reaper import Reaper
from ...workers.process.forkserver import ForkServer
from ...workers.process.managed_process import End, ManagedProcess
from ...workers.process.role_group import RoleGroup
from ...workers.process.shared_page import SharedPage
from ...workers.supervisor.lease_renewer import LeaseRenewer
from ...workers.supervisor.scaling.sizing import Sizing
from ...workers.supervisor.supervisor import Supervisor
from ...workers.supervisor.watching.dead_workers import DeadWorkers
from ...workers.supervisor.watching.stuck_workers import StuckWorkers
from ..harness.faults import fault


@fault("the supervisor leaves a dead worker's claims to expire")
def nothing_given_back() -> None:
    def retire(self: DeadWorkers, worker: int, ending: object) -> bool:
        return True

    DeadWorkers._retire = retire  # type: ignore[method-assign]


@fault("the supervisor does not wait for children that are no workers")
def forkserver_unreaped() -> None:
    def forget(self: ForkServer) -> None:
        if self.line is not None:
            self.line.close()
            self.line, self._up = None, False

    def reap(self: Reaper, known: Collection[int]) -> None:
        pass

    ForkServer.end = forget  # type: ignore[method-assign]
    Reaper.reap = reap  # type: ignore[method-assign]


@fault("a worker's death never counts as a crash of its delivery")
def crashes_never_counted() -> None:
    def never(self: DeadWorkers, end: End) -> bool:
        return False

    DeadWorkers._is_to_blame = never  # type: ignore[method-assign]


@fault("every death of a worker counts as a crash of its delivery")
def every_death_counts() -> None:
    def always(self: DeadWorkers, end: End) -> bool:
        return not end.by_supervisor

    DeadWorkers._is_to_blame = always  # type: ignore[method-assign]


@fault("the supervisor does not renew its workers' leases")
def nobody_renews() -> None:
    def renew(self: LeaseRenewer, workers: Sequence[ManagedProcess]) -> None:
        pass

    LeaseRenewer._renew = renew  # type: ignore[method-assign]


@fault("a worker that dies takes all others with it, for 3 s")
def takes_all_down() -> None:
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


@fault("leases are no longer renewed once a pool is told to stop")
def silent_at_the_end() -> None:
    stop = Supervisor._stop

    def stop_renewing(self: Supervisor) -> None:
        stop(self)
        self._renewer._stopped.set()

    Supervisor._stop = stop_renewing  # type: ignore[method-assign]


@fault("a supervisor that is told to stop kills its workers")
def killed_at_once() -> None:
    stop = Supervisor._stop

    def stop_and_kill(self: Supervisor) -> None:
        stop(self)
        self._processes.kill("it was told to stop")

    Supervisor._stop = stop_and_kill  # type: ignore[method-assign]


@fault("a supervisor does not follow the size set in the store")
def never_follows() -> None:
    def look(self: Sizing) -> None:
        pass

    Sizing.look = look  # type: ignore[method-assign]


@fault("surplus workers are killed in the middle of their work")
def killed_when_too_many() -> None:
    def leave(self: ManagedProcess) -> None:
        self.leaving = True
        self.kill("it is one too many")

    ManagedProcess.leave = leave  # type: ignore[method-assign]


@fault("a worker is told to leave before its successor is started")
def leaves_first() -> None:
    fit = RoleGroup.fit

    def leave_and_fit(self: RoleGroup) -> None:
        for each in self:
            if each.outdated and not each.leaving:
                each.leave()
        fit(self)

    RoleGroup.fit = leave_and_fit  # type: ignore[method-assign]


@fault("each process that has ended leaves a descriptor open in the supervisor")
def descriptor_each() -> None:
    close = ManagedProcess._close

    def close_most(self: ManagedProcess) -> None:
        os.dup(self.stacks)
        close(self)

    ManagedProcess._close = close_most  # type: ignore[method-assign]


@fault("what a dead worker had claimed and not begun counts as an attempt")
def unbegun_counts() -> None:
    SharedPage.progress = property(lambda self: None)  # type: ignore[assignment,method-assign]


@fault("what a stuck worker has not begun waits for it")
def stuck_keeps_all() -> None:
    def look(self: StuckWorkers, workers: Sequence[ManagedProcess]) -> None:
        pass

    StuckWorkers.look = look  # type: ignore[method-assign]
