"""The supervisor: starts processes, replaces those that die, and ends them all."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from multiprocess.connection import wait

from ...app.schedules.schedule import Schedule
from ...linux.parentage import subreaper
from ...linux.reaper import Reaper
from ...linux.sd_notify import Notifier
from ...linux.signal_pipe import Signals, listening
from ...linux.terminal import Terminal
from ...log.log import log
from ...store import Store
from ...store.rules.lease_timing import LeaseTiming
from ..process import descendants
from ..process.app.app_process import AppSpec
from ..process.app.source_files import SourceFiles
from ..process.managed_process import ManagedProcess, Role
from .lease_renewer import LeaseRenewer
from .processes import Processes
from .registration import Registration
from .running import Running
from .scaling.sizing import Sizing
from .schedules.ticker import Ticker
from .stacks import Stacks
from .stopping import Stopping
from .watching.dead_workers import DeadWorkers
from .watching.deadlines import Deadlines

# A program of the user's may have taken SIGCHLD, which tells of ends at once.
_COLLECT_SECONDS = 1.0
_LAST_COLLECT_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor runs; times are in seconds.

    Attributes:
        pool: Its id in the store's register; None for no workers at all.
        app: The app.
        workers: The role of the workers.
        others: Roles of which there is one process each.
        schedules: Those of the queues that its workers serve.
        lease: Of the claims of its workers.
        grace: What handlers have to finish in at the end.
        start_seconds: What a process has to come up in.
        imports: Modules that all processes need.
        files, is_done, on_ready: As in Running.
    """

    pool: int | None
    app: AppSpec
    workers: Role
    others: Sequence[Role]
    schedules: Sequence[Schedule]
    lease: float
    grace: float
    start_seconds: float
    imports: Sequence[str]
    files: SourceFiles | None
    is_done: Callable[[], bool] | None
    on_ready: Callable[[], None]


class Supervisor:
    """Runs a pool of workers, and processes of other roles, in the main thread."""

    def __init__(self, store: Store, renewing: Store, sizing: Sizing, plan: Plan) -> None:
        """`renewing` is another opening of the store, for a thread of its own."""
        self._engine = store.engine
        self._plan = plan
        self._sizing = sizing
        self._damage = sizing.damage
        self._notifier = Notifier()
        self._terminal = Terminal()
        self._reaper = Reaper()
        self._stacks = Stacks()
        self._processes = Processes(
            plan.workers,
            plan.others,
            plan.app,
            size=sizing.size,
            start_seconds=plan.start_seconds,
            imports=plan.imports,
        )
        self._workers = self._processes.workers
        self._dead_workers = DeadWorkers(self._engine, plan.pool, self._damage)
        self._deadlines = Deadlines(self._engine, plan.lease)
        self._renewer = LeaseRenewer(
            renewing.engine, plan.lease, lambda: list(self._workers), self._damage, plan.pool
        )
        self._slept_seconds = LeaseTiming(plan.lease).slept_seconds
        self._registration = Registration(self._engine, plan.pool, self._damage)
        self._running = Running(
            self._processes,
            sizing if plan.pool is not None else None,
            self._notifier,
            Ticker(self._engine, plan.pool, self._damage, plan.schedules),
            queues=plan.app.queues,
            files=plan.files,
            is_done=plan.is_done,
            on_ready=plan.on_ready,
        )
        self._stopping: Stopping | None = None
        self._failed = False
        self._gave_up = False
        self._some_ended = False
        self._collect_at = 0.0
        # See docs/operating.md.
        self._answers: dict[int, Callable[[], None]] = {
            signal.SIGCHLD: self._note_end,
            signal.SIGTERM: self._stop_or_kill,
            signal.SIGINT: self._stop_or_kill,
            signal.SIGQUIT: self._kill,
            signal.SIGTSTP: partial(self._pause_claiming, True),
            signal.SIGCONT: partial(self._pause_claiming, False),
            signal.SIGTTIN: partial(self._scale, 1),
            signal.SIGTTOU: partial(self._scale, -1),
            signal.SIGHUP: self._hang_up_or_reload,
            signal.SIGUSR1: lambda: self._stacks.ask(self._processes),
        }

    def run(self) -> bool:
        """Run until SIGTERM, SIGINT, SIGQUIT or done; see docs/operating.md for the signals.

        Returns False when processes could not be started, five times in a row, or when the
        store is damaged.
        """
        with subreaper(), listening([signal.Signals(each) for each in self._answers]) as signals:
            self._renewer.start()
            try:
                while self._stopping is None or not self._stopping.over:
                    self._turn(signals)
                # One may have ended between its registration and its first word.
                self._dead_workers.due = 0.0
                self._dead_workers.look()
            finally:
                self._end_all()
                self._renewer.stop()
        return not (self._gave_up or self._failed)

    def _turn(self, signals: Signals) -> None:
        for number in signals.take():
            if (answer := self._answers.get(number)) is not None:
                answer()
        for step in (self._collect, self._look_for_dead, self._step, self._tell, self._give_up):
            step()
            self._deadlines.look(self._workers)  # each may have had to wait for the store
        self._notifier.feed_watchdog()
        self._listen(signals)

    def _collect(self) -> None:
        """Collect the processes that have ended, whether or not a signal told of them."""
        if not self._some_ended and time.monotonic() < self._collect_at:
            return
        self._some_ended = False
        self._collect_at = time.monotonic() + _COLLECT_SECONDS
        if self._terminal.look():
            log.info("the terminal was closed; the pool continues without it")
        self._take_back()
        self._reaper.reap(self._processes.pids)

    def _take_back(self) -> None:
        """Collect the processes that have ended, and release their claims."""
        gone = self._processes.collect()
        self._dead_workers.together([end for _, end in gone])
        for each, end in gone:
            self._stacks.forget(each)
            self._damage.found = self._damage.found or each.damage
            if end.work.claims:
                descendants.kill(each.pid, self._processes.pids)
            self._dead_workers.take(each, end, self._renewer.reporter.last(each, end.work))

    def _look_for_dead(self) -> None:
        if self._stopping is None:
            self._dead_workers.look(
                known=[each.worker for each in self._workers if each.worker],
                unheard=[each.pid for each in self._workers if each.worker is None],
            )

    def _step(self) -> None:
        """Start and replace processes, or go on with stopping them."""
        if self._stopping is not None:
            self._stopping.step()
        elif not self._running.step():
            self._failed = self._processes.failed
            self._stop()
        self._processes.enforce_times()

    def _tell(self) -> None:
        state = "stopping" if self._stopping else "quiet" if self._workers.quiet else "running"
        self._registration.tell(state, self._workers.size, self._running.queues)

    def _give_up(self) -> None:
        """End when the store is damaged: say so once, whichever part has met it first."""
        if self._damage.found and not self._gave_up:
            self._gave_up = True
            log.error("the store is damaged: the pool ends", error=self._damage.found)
            self._stop()

    def _listen(self, signals: Signals) -> None:
        """Wait until a process says something or ends, a signal comes, or time is up."""
        sources = {**self._processes.sources(self._hear), **self._stacks.sources(self._processes)}
        pause, slept_ms = self._pause(), -self._engine.clock.stopwatch_ms()
        heard = wait([*sources, signals.fd], pause)
        slept_ms += self._engine.clock.stopwatch_ms()
        if slept_ms > (pause + self._slept_seconds) * 1000:
            for each in self._workers:
                each.asleep_at = time.monotonic()
        for source in heard:
            if source in sources:
                sources[source]()
        self._stacks.write(self._processes)

    def _pause(self) -> float:
        """Return how many seconds to wait for an event."""
        now = time.monotonic()
        look = self._deadlines.pause if self._workers.size else 1.0
        times = [now + look, self._notifier.due, self._stacks.due]
        if self._stopping is None:
            times += [self._running.due, self._dead_workers.due]
        else:
            times.append(self._stopping.due)
        return max(0.0, min(times) - now)

    def _hear(self, process: ManagedProcess) -> None:
        process.hear()
        self._some_ended |= process.line is None

    def _note_end(self) -> None:
        self._some_ended = True

    def _stop(self) -> None:
        """Begin to end: claim nothing more, and finish what runs."""
        if self._stopping is None:
            log.info("stopping", grace=self._plan.grace)
            self._notifier.tell("STOPPING=1")
            self._stopping = Stopping(self._processes, self._plan.grace)

    def _kill(self) -> None:
        """End now."""
        self._stop()
        self._processes.kill("it was told to end now")

    def _stop_or_kill(self) -> None:
        (self._stop if self._stopping is None else self._kill)()

    def _pause_claiming(self, paused: bool) -> None:
        log.info("claiming stopped" if paused else "claiming resumed")
        self._workers.say_quiet(paused)

    def _scale(self, by: int) -> None:
        if self._plan.pool is not None:
            self._sizing.change(by)

    def _hang_up_or_reload(self) -> None:
        if self._terminal.closed:
            log.info("the terminal was closed")
            self._stop()
        elif self._stopping is None:
            self._running.reload.begin()

    def _end_all(self) -> None:
        """End what is left, also after an error."""
        self._processes.kill("the supervisor ends")
        while left := list(self._processes):
            self._take_back()
            wait([each.line for each in left if each.line is not None], _LAST_COLLECT_SECONDS)
        self._processes.end()
