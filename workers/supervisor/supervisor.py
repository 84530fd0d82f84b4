"""The supervisor: starts processes, replaces the dead one alone, ends them all."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from multiprocess.connection import wait

from ...linux.parentage import adopting
from ...linux.reaper import Reaper
from ...linux.sd_notify import Notifier
from ...linux.signal_pipe import Signals, listening
from ...linux.terminal import Terminal
from ...log.log import log
from ...store import Store
from ...store.errors import FencepostError
from ...store.rules.lease_timing import LeaseTiming
from ..process import descendants
from ..process.app_code import AppCode
from ..process.app_process import Wanted
from ..process.forkserver import MAX_FAILURES, ForkServer
from ..process.process import ManagedProcess, Role
from ..process.reload import Reload
from ..process.role_group import RoleGroup
from ..process.source_files import LOOK_SECONDS, SourceFiles
from .dead_workers import DeadWorkers
from .deadlines import Deadlines
from .lease_renewer import LeaseRenewer
from .sizing import Sizing
from .unserved import AT_START, name_unserved

_DONE_SECONDS = 0.1
_TELL_SECONDS = 30.0
_STACKS_SECONDS = 0.1
# A program of the user's may have taken SIGCHLD, which tells of deaths at once.
_CLEAR_SECONDS = 1.0
# Handlers that are cancelled may clean up for so long.
_CANCEL_SECONDS = 2.0
_CANCEL_AGAIN_SECONDS = 0.2

_LISTENED_TO = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGCHLD,
)


class Supervisor:
    """Runs a pool of workers, and processes of other roles, in the main thread.

    Args:
        pool: Its id in the store's register; None for no workers at all.
        keeping: Another opening of the store, for what goes on while this one is waited for.
        wanted: The app that they run.
        files: Those whose change is a reload.
        lease: Seconds, of the claims of its workers.
        start_seconds: What a process has to come up in.
        done: Asked ten times a second; True ends the run as SIGTERM would.
        on_ready: Called once, when every process is up for the first time.
    """

    def __init__(
        self,
        store: Store,
        keeping: Store,
        *,
        pool: int | None,
        wanted: Wanted,
        workers: Role,
        sizing: Sizing,
        others: Sequence[Role],
        files: SourceFiles | None,
        lease: float,
        grace: float,
        start_seconds: float,
        done: Callable[[], bool] | None,
        on_ready: Callable[[], None],
    ) -> None:
        self._engine = store.engine
        self._pool = pool
        self._sizing = sizing
        self._damage = sizing.damage
        self._forkserver = ForkServer()
        self._code = AppCode(self._forkserver, wanted)
        # A receiver goes on when its pool cannot.
        self._workers = RoleGroup(
            workers, sizing.size, self._code, start_seconds=start_seconds, vital=not others
        )
        self._groups = [
            *(RoleGroup(role, 1, self._code, start_seconds=start_seconds) for role in others),
            self._workers,
        ]
        self._dead_workers = DeadWorkers(self._engine, pool, self._damage)
        self._deadlines = Deadlines(self._engine, lease)
        self._renewer = LeaseRenewer(
            keeping.engine, lease, lambda: list(self._workers), self._damage
        )
        self._notifier = Notifier()
        self._reaper = Reaper()
        self._terminal = Terminal()
        self._slept_seconds = LeaseTiming(lease).slept_seconds
        self._files = files
        self._grace = grace
        self._done = done
        self._on_ready = on_ready
        self._announced = False
        self._quiet = False
        self._failed = False
        self._given_up = False
        self._reload = Reload(self._code, self._groups, self._notifier, self._took_over)
        # What is left to do to end: each from its moment on.
        self._steps: list[tuple[float, Callable[[], None]]] = []
        # What it serves, when a reload has changed that.
        self._all_queues = wanted.queues is None
        self._queues: list[str] = []
        self._told: tuple[str, int, tuple[str, ...]] | None = None
        self._tell_at = 0.0
        self._stacks: dict[int, float] = {}
        self._bereaved = False
        self._clear_at = 0.0

    def run(self) -> bool:
        """Run until SIGTERM, SIGINT, SIGQUIT or done; see docs/operating.md for the signals.

        Returns False when processes could not be started, five times in a row, or when the
        store is damaged.
        """
        with adopting(), listening(_LISTENED_TO) as signals:
            self._renewer.start()
            try:
                while not self._steps or self._all():
                    self._turn(signals)
                # One may have ended between its registration and its first word.
                self._dead_workers.due = 0.0
                self._dead_workers.look()
            finally:
                self._end_all()
                self._renewer.stop()
        return not self._failed

    def _turn(self, signals: Signals) -> None:
        for number in signals.take():
            self._obey(number)
        for step in (self._collect, self._look_for_others, self._go_on, self._tell, self._give_up):
            step()
            self._deadlines.look(self._workers)  # each may have had to wait for the store
        self._notifier.pat()
        self._listen(signals)

    def _collect(self) -> None:
        """Clear those away that have ended, all the same whether a signal told of it."""
        if self._bereaved or time.monotonic() >= self._clear_at:
            self._bereaved = False
            self._clear_at = time.monotonic() + _CLEAR_SECONDS
            if self._terminal.look():
                log.info("the terminal was closed; the pool continues without it")
            self._clear()
            self._reaper.reap(self._children)

    @property
    def _children(self) -> list[int]:
        return [self._forkserver.pid, *self._code.pids, *(each.pid for each in self._all())]

    def _look_for_others(self) -> None:
        if not self._steps:
            self._dead_workers.look([each.worker for each in self._workers if each.worker])

    def _go_on(self) -> None:
        """Have as many as are wanted, or come a step nearer to the end."""
        if self._steps:
            self._take_steps()
        else:
            if self._files is not None and self._files.changed():
                self._reload.begin()
            self._fit()
            self._announce()
            if self._done is not None and self._done():
                self._stop()
        for group in self._groups:
            group.enforce_times()

    def _obey(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._bereaved = True
        elif number in (signal.SIGTERM, signal.SIGINT):
            if self._steps:
                self._kill("it was told to end now")
            else:
                self._stop()
        elif number == signal.SIGQUIT:
            self._stop()
            self._kill("it was told to end now")
        elif number in (signal.SIGTSTP, signal.SIGCONT):
            self._quiet = number == signal.SIGTSTP
            log.info("claiming stopped" if self._quiet else "claiming resumed")
            for each in self._workers:
                self._hush(each)
        elif number in (signal.SIGTTIN, signal.SIGTTOU) and self._pool is not None:
            self._sizing.change(1 if number == signal.SIGTTIN else -1)
        elif number == signal.SIGHUP and self._terminal.closed:
            log.info("the terminal was closed")
            self._stop()
        elif number == signal.SIGHUP and not self._steps:
            self._reload.begin()
        elif number == signal.SIGUSR1:
            for each in self._all():
                each.signal(signal.SIGUSR1)

    def _stop(self) -> None:
        """Begin to end: finish, or after the grace time cancel, or soon after that kill."""
        if self._steps:
            return
        log.info("stopping", grace=self._grace)
        self._notifier.tell("STOPPING=1")
        for each in self._all():
            each.leave()
        cancel_at = time.monotonic() + self._grace
        # A signal that comes just before a system call may go unheard until that ends.
        tries = round(_CANCEL_SECONDS / _CANCEL_AGAIN_SECONDS)
        self._steps = [
            *((cancel_at + n * _CANCEL_AGAIN_SECONDS, self._cancel) for n in range(tries)),
            (cancel_at + _CANCEL_SECONDS, self._kill),
            (float("inf"), self._kill),
        ]

    def _take_steps(self) -> None:
        while time.monotonic() >= self._steps[0][0]:
            self._steps.pop(0)[1]()

    def _cancel(self) -> None:
        for each in self._workers:
            if each.ready:
                each.signal(signal.SIGUSR2)
            else:
                each.kill("not up when the grace time ended")

    def _kill(self, why: str = "the grace time is over") -> None:
        for each in self._all():
            each.kill(why)

    def _end_all(self) -> None:
        for each in self._all():
            each.kill("the supervisor ends")
        while self._all():
            self._clear()
            wait([each.line for each in self._all() if each.line is not None], _DONE_SECONDS)
        self._code.end()
        self._forkserver.end()

    def _took_over(self) -> None:
        """Serve the queues that the new code has handlers for."""
        if self._all_queues:
            self._queues = self._sizing.queues = self._code.handlers

    def _hush(self, each: ManagedProcess) -> None:
        each.send(b"quiet" if self._quiet else b"resume")

    def _fit(self) -> None:
        if self._pool is not None:
            self._sizing.look()
            self._workers.size = self._sizing.size
        self._forkserver.keep_up()
        self._reload.step()
        for group in self._groups:
            for each in group.fit():
                if self._quiet and group is self._workers:
                    self._hush(each)  # before it can claim
        failures = max(self._forkserver.failures, self._code.failures)
        hopeless = failures >= MAX_FAILURES and not any(each.ready for each in self._all())
        if hopeless or any(group.failed for group in self._groups):
            self._failed = True
            self._stop()

    def _clear(self) -> None:
        for group in self._groups:
            gone = group.clear()
            self._dead_workers.together([end for _, end in gone])
            for each, end in gone:
                self._stacks.pop(each.stacks, None)
                self._damage.found = self._damage.found or each.damage
                if end.work.claims:
                    descendants.kill(each.pid, self._children)
                self._dead_workers.take(each, end, self._renewer.last(each, end.work))

    def _listen(self, signals: Signals) -> None:
        """Wait until a process says something or ends, a signal comes, or time is up."""
        now = time.monotonic()
        lines = {each.line: each for each in self._all() if each.line is not None}
        stacks = {each.stacks: each for each in self._all() if each.stacks not in self._stacks}
        forkserver = [] if self._forkserver.line is None else [self._forkserver.line]
        pause, slept_ms = self._pause(now), -self._engine.now_ms()
        code = self._code.lines
        heard = wait([*lines, *stacks, *forkserver, *code, signals.fd], pause)
        slept_ms += self._engine.now_ms()
        if slept_ms > (pause + self._slept_seconds) * 1000:
            for each in self._workers:
                each.asleep_at = time.monotonic()
        for event in heard:
            if event in lines:
                lines[event].hear()
                self._bereaved |= lines[event].line is None
            elif event in stacks:
                self._stacks[event] = now + _STACKS_SECONDS
            elif event in forkserver:
                self._forkserver.hear()
            elif event in code:
                code[event].hear()
        for each in self._all():
            if self._stacks.get(each.stacks, float("inf")) <= time.monotonic():
                del self._stacks[each.stacks]
                if text := each.read_stacks():
                    log.info("stacks", process=each.role.name, pid=each.pid, stacks=text)

    def _pause(self, now: float) -> float:
        times = [now + self._deadlines.pause if self._workers.size else now + 1, self._notifier.due]
        times += self._stacks.values()
        if self._steps:
            times.append(self._steps[0][0])
        else:
            times.append(self._dead_workers.due)
            times += [self._sizing.due] if self._pool is not None else []
            times += [
                group.start_at for group in self._groups if group.short and group.start_at > now
            ]
            times += [now + LOOK_SECONDS] if self._files is not None else []
            times += [now + _DONE_SECONDS] if self._done is not None else []
        return max(0.0, min(times) - now)

    def _announce(self) -> None:
        """Say that all is up, for the first time."""
        if not self._announced and all(group.settled for group in self._groups):
            self._announced = True
            self._on_ready()
            self._notifier.tell("READY=1")

    def _tell(self) -> None:
        """Keep the pool's row in the register true."""
        if self._pool is None:
            return
        state = "stopping" if self._steps else "quiet" if self._quiet else "running"
        says = (state, self._workers.size, tuple(self._queues))
        if time.monotonic() < self._tell_at and (says == self._told or self._told is None):
            return
        try:
            size, queues = self._workers.size, self._queues
            self._engine.pools.tell(self._pool, state=state, size=size, queues=queues)
        except FencepostError as error:
            self._damage.met(error)
            self._told = None
            self._tell_at = time.monotonic() + 1  # for the eye only
        else:
            if self._told is not None and says[2] != self._told[2]:
                name_unserved(self._engine, AT_START)  # a reload may have renamed a handler
            self._told = says
            self._tell_at = time.monotonic() + _TELL_SECONDS

    def _give_up(self) -> None:
        """End when the store is damaged: say so once, whoever has met it first."""
        if self._damage.found and not self._given_up:
            self._given_up = self._failed = True
            log.error("the store is damaged: the pool ends", error=self._damage.found)
            self._stop()

    def _all(self) -> list[ManagedProcess]:
        return [each for group in self._groups for each in group]
