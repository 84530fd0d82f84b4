"""All processes of a pool: the forkserver, the app process, and a group for each role."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ..process.app.app_code import AppCode
from ..process.app.app_process import AppSpec
from ..process.forkserver import MAX_FAILURES, ForkServer
from ..process.managed_process import End, ManagedProcess, Role
from ..process.role_group import RoleGroup

# What can be waited for, and what to call when there is something to read.
Sources = dict[Any, Callable[[], None]]


class Processes:
    """All processes of a pool; iterating gives those of the groups.

    Attributes:
        code: The app that they run.
        workers: The group of the workers.
        groups: All groups.
    """

    def __init__(
        self,
        workers: Role,
        others: Sequence[Role],
        app: AppSpec,
        *,
        size: int,
        start_seconds: float,
        imports: Sequence[str],
    ) -> None:
        """`start_seconds` is what a process has to come up in, `imports` are the forkserver's."""
        self._forkserver = ForkServer(imports)
        self.code = AppCode(self._forkserver, app)
        group = partial(RoleGroup, code=self.code, start_seconds=start_seconds)
        # A receiver continues when its pool cannot.
        self.workers = group(workers, size, vital=not others)
        self.groups = [*(group(role, 1) for role in others), self.workers]

    def __iter__(self) -> Iterator[ManagedProcess]:
        """All that have not ended yet."""
        return iter([each for group in self.groups for each in group])

    @property
    def pids(self) -> list[int]:
        """The pids of all processes, also of the forkserver and the app process."""
        return [self._forkserver.pid, *self.code.pids, *(each.pid for each in self)]

    @property
    def settled(self) -> bool:
        """Every group is complete, or nothing needs to wait for it."""
        return all(group.settled for group in self.groups)

    @property
    def failed(self) -> bool:
        """No process can be started, after five tries in a row."""
        failures = max(self._forkserver.failures, self.code.failures)
        hopeless = failures >= MAX_FAILURES and not any(each.ready for each in self)
        return hopeless or any(group.failed for group in self.groups)

    @property
    def due(self) -> float:
        """time.monotonic() at which one more is to be started; inf for none."""
        now = time.monotonic()
        waiting = (each.start_at for each in self.groups if each.short and each.start_at > now)
        return min(waiting, default=float("inf"))

    def keep_up(self) -> None:
        """Start the forkserver when there is none."""
        self._forkserver.keep_up()

    def fit(self) -> None:
        """Start the processes that are missing, and tell surplus ones to leave."""
        for group in self.groups:
            group.fit()

    def enforce_times(self) -> None:
        """Kill those that do not come up in time, or do not end."""
        for group in self.groups:
            group.enforce_times()

    def sources(self, hear: Callable[[ManagedProcess], None]) -> Sources:
        """Return what to listen to; `hear` is called with a process that says something."""
        found: Sources = {each.line: partial(hear, each) for each in self if each.line is not None}
        if self._forkserver.line is not None:
            found[self._forkserver.line] = self._forkserver.hear
        return {**found, **{line: each.hear for line, each in self.code.lines.items()}}

    def collect(self) -> list[tuple[ManagedProcess, End]]:
        """Collect the processes that have ended; return how each did."""
        return [gone for group in self.groups for gone in group.clear()]

    def kill(self, why: str) -> None:
        """Kill all now, but not the forkserver and the app process."""
        for each in self:
            each.kill(why)

    def end(self) -> None:
        """End the forkserver and the app process."""
        self.code.end()
        self._forkserver.end()
