"""Faults in how workers are replaced."""

from __future__ import annotations

import os

from ...workers.process.process import ManagedProcess
from ...workers.process.role_group import RoleGroup
from ..harness.canary import Canary


def _descriptor_each() -> None:
    close = ManagedProcess._close

    def close_most(self: ManagedProcess) -> None:
        os.dup(self.stacks)
        close(self)

    ManagedProcess._close = close_most  # type: ignore[method-assign]


def _leaves_first() -> None:
    fit = RoleGroup.fit

    def leave_and_fit(self: RoleGroup) -> None:
        for each in self:
            if each.outdated and not each.leaving:
                each.leave()
        fit(self)

    RoleGroup.fit = leave_and_fit  # type: ignore[method-assign]


CANARIES = (
    Canary(
        "descriptor-each",
        "each process that has ended leaves a descriptor in the supervisor",
        scenario="recycle",
        trips="stays-flat",
        plant=_descriptor_each,
    ),
    Canary(
        "leaves-first",
        "a worker is told to leave before its successor is started",
        scenario="recycle",
        trips="never-short",
        plant=_leaves_first,
    ),
)
