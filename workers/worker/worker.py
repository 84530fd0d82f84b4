"""The loop of a worker process: claim, handle, settle."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Awaitable, Mapping
from functools import partial

from multiprocess.connection import Connection

from ...app.handlers.handler import Handler
from ...app.handlers.hooks import Hooks, WorkerProcess, call_started, call_stopping
from ...app.steps.facts import NO_FACTS, AppFacts
from ...linux.signal_handlers import default_in_forks
from ...log import delivery_lines
from ...log.log import log
from ...log.standard_streams import flush
from ...store import Claim, Store
from ...store.types.sending.outgoing import OUTBOX
from .claimer import Claimer
from .coroutines import Coroutines
from .in_progress import InProgress
from .interrupts.interrupter import Interrupter
from .outbox_look import OutboxLook
from .plain import Plain
from .recycle import Age, Recycle
from .router import Router
from .state.process_state import ProcessState

_IDLE_SECONDS = 1.0
_RECYCLE_SECONDS = 60.0


class Worker:
    """Works until it is told to stop, in the main thread.

    No other thread of the process uses the store. A handler that does not release the
    interpreter would stop that thread inside a transaction, and so keep the write lock.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        id: int,
        lease: float,
        in_progress: InProgress,
        line: Connection,
        signals: int,
        recycle: Recycle,
        hooks: Hooks,
        router: Router,
        app: AppFacts = NO_FACTS,
    ) -> None:
        """`signals` is a descriptor that is readable after a signal."""
        self._hooks = hooks
        self._process = WorkerProcess(id, os.getpid(), store)
        self._engine = store.engine
        self._in_progress = in_progress
        self._line = line
        self._signals = signals
        self._age = Age(recycle)
        self._recycle_at = 0.0
        self._router = router
        self._quiet = False
        self._stopping = False
        self._state: ProcessState  # after the worker has installed its own handlers
        self._told: set[tuple[str, str]] = set()
        self._interrupter = Interrupter(store.engine, lease, self._cancel)
        self._claimer = Claimer(
            store,
            handlers,
            worker=id,
            lease=lease,
            in_progress=in_progress,
            interrupter=self._interrupter,
            tidy=self._tidy,
            app=app,
        )
        others = {name: handler for name, handler in handlers.items() if handler.is_async}
        self._outbox = OutboxLook(store.engine) if OUTBOX in others else None
        # For webhooks alone a loop is made, and turned, while there are any.
        self._turns = bool(hooks or others.keys() - {OUTBOX})
        self._make_coroutines = partial(Coroutines, others, self._claimer, store.engine)
        self._plain = Plain(
            {name: handler for name, handler in handlers.items() if name not in others},
            self._claimer,
            in_progress,
            self._interrupter.interrupts,
            stopping=lambda: self._stopping,
            continues=self._continues,
            room=lambda: self._age.room(in_progress.ended + self._claimer.ending),
        )
        self._coroutines = self._make_coroutines() if self._turns else None
        self._heard = select.poll()
        self._heard.register(line.fileno(), select.POLLIN)

    def stop(self) -> None:
        """Claim nothing more, and finish what runs; safe in a signal handler."""
        self._stopping = True

    def prepare(self) -> None:
        """Call the app's `worker_started` hooks.

        Raises:
            SystemExit: A hook failed.
        """
        call_started(self._hooks, self._process, self._complete)

    def run(self) -> None:
        """Work until told to stop, or until the supervisor is gone; call it in the main thread."""
        self._interrupter.start()
        self._state = ProcessState()
        default_in_forks()
        self._in_progress.say("idle")
        while not self._stopping:
            self._hear()
            self._recycle()
            self._round()
        self._in_progress.say("stopping")
        while self._unfinished:
            self._round()
        with contextlib.suppress(OSError):
            self._line.send_bytes(b"ended")
        call_stopping(self._hooks, self._process, self._complete)
        if self._coroutines is not None:
            self._coroutines.close()
        self._interrupter.stop()

    def _round(self) -> None:
        """Claim and handle deliveries, or wait for one."""
        self._interrupter.interrupts.begin()
        queues, begun = list[str](), list[Claim]()
        if self._claiming:
            self._router.look()
        if self._outbox is not None and self._claiming:
            self._outbox.look()
            if self._coroutines is None and self._outbox.waits:
                self._coroutines = self._make_coroutines()
        if self._coroutines is not None:
            queues, begun = self._begin_coroutines(self._coroutines)
        elif self._outbox is not None:
            queues = [OUTBOX]
        if self._plain.queues and self._claiming:
            begun = begun + self._plain.work()
            queues = queues + self._plain.queues
        self._settle()
        if not self._stopping or self._unfinished:
            self._wait(queues, begun)

    def _settle(self) -> None:
        """Tell the store of outcomes that no further claim will take along."""
        claimer = self._claimer
        if claimer.unsettled and not self._claiming:
            claimer.next([])
        if claimer.unsettled and self._state.beyond_repair:
            claimer.next([])
            if claimer.unsettled:
                log.error("cannot save the outcome: the worker ends")
                os._exit(1)

    def _wait(self, queues: list[str], begun: list[Claim]) -> None:
        """Sleep, unless there may be more to claim: `begun` was claimed from `queues`."""
        if self._claimer.pause:
            self._rest(self._claimer.pause)
        elif begun:
            if (coroutines := self._turning) is not None:
                coroutines.run(0)
        elif queues:
            if self._outbox is not None:
                self._outbox.again()
            seconds = self._claimer.idle(queues)
            if not self._router.look(at_once=True):  # the wakeup may have been for it
                self._rest(seconds, self._engine.wakeup.fileno())
        else:
            self._rest(_IDLE_SECONDS)

    def _continues(self) -> bool:
        """Let coroutines continue between two handlers; False if nothing more is to begin."""
        if self._coroutines is not None and self._coroutines.in_work:
            self._coroutines.run(0)
        return self._claiming

    def _begin_coroutines(self, coroutines: Coroutines) -> tuple[list[str], list[Claim]]:
        """Settle coroutines that have ended, and start others; return the queues and the claims."""
        coroutines.settle()
        queues, room = coroutines.room() if self._claiming else ([], 0)
        begun = self._claimer.next(queues, room) if self._is_worth(queues) else []
        if begun and self._outbox is not None:
            self._outbox.again()
        for claim in begun:
            if self._stopping:
                self._claimer.give_back([claim])
            else:
                coroutines.begin(claim)
        if begun and self._plain.queues:
            coroutines.run(0)  # a plain handler may block them for long
            coroutines.settle()
        return queues, begun

    def _is_worth(self, queues: list[str]) -> bool:
        """True if there may be something to claim from these, or nobody else tells of acks."""
        if queues == [OUTBOX] and self._outbox is not None:
            alone = not self._plain.queues and self._claimer.unsettled
            return self._outbox.waits or alone
        return bool(queues)

    @property
    def _turning(self) -> Coroutines | None:
        """The loop, while it has anything to do."""
        coroutines = self._coroutines
        idle = coroutines is None or not (self._turns or coroutines.in_work)
        return None if idle else coroutines

    @property
    def _claiming(self) -> bool:
        return not (self._quiet or self._stopping or self._state.beyond_repair)

    @property
    def _unfinished(self) -> bool:
        coroutines = self._coroutines
        return self._claimer.unsettled or (coroutines is not None and coroutines.in_work)

    def _rest(self, seconds: float, wakeup: int | None = None) -> None:
        """Run coroutines, or sleep, until there is something to do or time is up."""
        fds = [self._signals] if wakeup is None else [self._signals, wakeup]
        if not self._stopping:
            fds.append(self._line.fileno())
        if (coroutines := self._turning) is not None:
            coroutines.run(seconds, *fds)
        else:
            poll = select.poll()
            for fd in fds:
                poll.register(fd, select.POLLIN)
            poll.poll(max(0.0, seconds) * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._signals, 4096)

    def _hear(self) -> None:
        """Read what the supervisor has said."""
        while self._heard.poll(0):
            try:
                word = self._line.recv_bytes()
            except (EOFError, OSError):
                self.stop()  # it is gone
                return
            if word == b"leave":
                self.stop()
                return
            self._quiet = word == b"quiet"
            self._in_progress.say("quiet" if self._quiet else "idle")

    def _recycle(self) -> None:
        """Ask to be replaced, and again every minute: the replacement may not come up."""
        if time.monotonic() < self._recycle_at:
            return
        if broken := self._state.beyond_repair:
            why: str | None = f"a handler has changed {broken} for good"
        else:
            why = self._age.why(self._in_progress.ended)
        if why is not None:
            self._recycle_at = time.monotonic() + _RECYCLE_SECONDS
            with contextlib.suppress(OSError):
                self._line.send_bytes(b"recycle " + why.encode())

    def _tidy(self, claim: Claim, quick: bool) -> None:
        """Restore the state of the process after a handler, for the next one and for the worker."""
        changed = self._state.restore(quick=quick)
        flush()
        if news := [name for name in changed if (claim.queue, name) not in self._told]:
            self._told.update((claim.queue, name) for name in news)
            log.warning(
                "the handler changed the state of its process: it was restored",
                **delivery_lines.about(claim),
                changed=", ".join(news),
            )

    def _complete(self, awaitable: Awaitable[object]) -> None:
        assert self._coroutines is not None
        self._coroutines.complete(awaitable)

    def _cancel(self) -> None:
        if self._coroutines is not None:
            self._coroutines.cancel()
