"""The processes of one role: as many as are wanted, all with the newest code."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ...log.log import log
from ...store.rules.failures.blame import Blame
from .app.app_code import AppCode
from .managed_process import End, ManagedProcess, Role

_FIRST_DELAY_SECONDS = 0.1
_MAX_DELAY_SECONDS = 1.0
# Between two tries while other processes of the group work.
_HOPELESS_DELAY_SECONDS = 10.0
# While other groups work.
_MAX_HOPELESS_DELAY_SECONDS = 60.0
_MAX_FALSE_STARTS = 5
_HEALTHY_SECONDS = 1.0
# For worker_stopping, for closing the store, and for threads that are about to end.
_LINGER_SECONDS = 5.0


class RoleGroup:
    """Keeps as many processes of a role as are wanted.

    An outdated process is told to leave when its replacement is ready, one process after the
    other. A surplus process is told to leave at once; it finishes what it has begun.

    Attributes:
        size: How many are wanted.
        quiet: They are to claim nothing.
        failed: There is no process, and five in a row did not come up. A group that is not
            vital keeps trying instead, less and less often.
        gave_up: Processes with the new code of a reload do not come up.
        start_at: time.monotonic() from which the next process may be started.
    """

    def __init__(
        self, role: Role, size: int, code: AppCode, *, start_seconds: float, vital: bool = True
    ) -> None:
        self.role = role
        self.size = size
        self.quiet = False
        self.failed = False
        self.gave_up = False
        self.start_at = 0.0
        self._members: list[ManagedProcess] = []
        self._code = code
        self._vital = vital
        self._start_seconds = start_seconds
        self._false_starts = 0
        self._false_start_at = 0.0
        self._early_deaths = 0
        self._was_up = False
        self._rounds = 0

    def __iter__(self) -> Iterator[ManagedProcess]:
        """Those that have not been collected yet."""
        return iter(list(self._members))

    @property
    def complete(self) -> bool:
        """As many as are wanted are up."""
        return sum(each.ready for each in self._staying()) >= self.size

    @property
    def settled(self) -> bool:
        """It is complete, or nothing needs to wait for it."""
        return self.complete or (not self._vital and self._rounds > 0)

    @property
    def short(self) -> bool:
        """At least one more process must be started."""
        return len(self._staying()) < self.size + self.renews

    def reload(self) -> None:
        """Have each process replaced, one after the other."""
        self.gave_up = False
        for each in self._members:
            each.outdated = True

    def go_back(self) -> None:
        """Keep the processes and the code from before a reload."""
        self.gave_up = False
        self._false_starts, self.start_at = 0, 0.0
        for each in self._members:
            each.outdated = False

    def say_quiet(self, quiet: bool) -> None:
        """Stop all workers from claiming, also ones that start later, or let them claim again."""
        self.quiet = quiet
        for each in self._members:
            each.send(b"quiet" if quiet else b"resume")

    def fit(self) -> None:
        """Start the processes that are missing, and tell surplus ones to leave."""
        while self.short and time.monotonic() >= self.start_at and self._code.is_up:
            try:
                started = ManagedProcess(self.role, self._code)
            except OSError as error:
                log.warning("cannot start a process", role=self.role.name, error=str(error))
                self.start_at = time.monotonic() + _MAX_DELAY_SECONDS
                break
            self._members.append(started)
            if self.quiet:
                started.send(b"quiet")  # before it can claim
        staying = self._staying()
        # A replacement counts once it is ready.
        counted = [each for each in staying if each.ready] if self.renews else staying
        for each in sorted(staying, key=_dispensable)[: max(0, len(counted) - self.size)]:
            each.leave()

    def enforce_times(self) -> None:
        """Kill processes that do not come up in time, or have nothing left to do and do not end."""
        now = time.monotonic()
        for each in self._members:
            if each.over_at is not None:
                if each.over_at < now - _LINGER_SECONDS:
                    each.kill(
                        f"it did not end: threads are left, or worker_stopping took over {_LINGER_SECONDS:g} s"
                    )
            elif each.waiting:
                each.started = now
            elif not each.ready and each.started < now - self._start_seconds:
                each.kill(f"not up after {self._start_seconds:g} s")
            elif each.ready and self._false_start_at < each.started < now - _HEALTHY_SECONDS:
                self._false_starts = self._rounds = 0

    def clear(self) -> list[tuple[ManagedProcess, End]]:
        """Collect the processes that have ended; return how each did."""
        gone = []
        for each in list(self._members):
            if (end := each.ended()) is not None:
                self._members.remove(each)
                gone.append((each, end))
                self._judge(each, end)
        return gone

    def _staying(self) -> list[ManagedProcess]:
        return [each for each in self._members if not each.leaving]

    @property
    def renews(self) -> bool:
        """At least one process is to be replaced."""
        return any(each.outdated for each in self._staying())

    def _judge(self, each: ManagedProcess, end: End) -> None:
        """Decide from how a process ended when the next may be started, if at all."""
        if each.leaving:
            return
        lived = time.monotonic() - each.started
        self._early_deaths = self._early_deaths + 1 if lived < _HEALTHY_SECONDS else 0
        doublings = min(self._early_deaths - 1, 9)  # a float has no room for a thousand
        delay = min(_MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2**doublings)
        self.start_at = time.monotonic() + (delay if self._early_deaths > 1 else 0)
        self._was_up |= each.ready
        idle, young = not end.work.claims, not each.ready or lived < _HEALTHY_SECONDS
        failed = end.blame() in (Blame.PROCESS, Blame.SUPERVISOR)
        # If none has ever come up, a SIGKILL is most likely for the memory that a process takes.
        if (failed or (end.signal and not self._was_up)) and idle and young:
            self._count_false_start()

    def _count_false_start(self) -> None:
        self._false_starts += 1
        self._false_start_at = time.monotonic()
        if self._false_starts < _MAX_FALSE_STARTS:
            return
        if self._code.on_trial:
            self.gave_up = True
        elif any(other.ready for other in self._members):
            log.error("a process does not start: the others continue", role=self.role.name)
            self.start_at = time.monotonic() + _HOPELESS_DELAY_SECONDS
            for other in self._members:
                other.outdated = False
        elif self._vital:
            log.error("a process does not start: the pool ends", role=self.role.name)
            self.failed = True
        else:
            longest = _MAX_HOPELESS_DELAY_SECONDS
            delay = min(longest, _MAX_DELAY_SECONDS * 2 ** min(self._rounds, 9))
            self._rounds += 1
            self.start_at = time.monotonic() + delay
            log.error(
                "a process does not start: it is retried",
                role=self.role.name,
                after_seconds=delay,
            )


def _dispensable(each: ManagedProcess) -> tuple[bool, bool, bool, float]:
    """Order processes by which is to leave first: outdated, not up yet, idle, newest."""
    work = each.page.work
    busy = work is None or work.claims > 0
    return not each.outdated, each.ready, busy, -each.started
