"""One worker process: claim, handle, settle."""

from __future__ import annotations

import contextlib
import inspect
import os
import select
from collections.abc import Mapping
from functools import partial

from multiprocess.connection import Connection

from ..store import Claim, Store
from .attempt import Attempt
from .claims import Claims
from .coroutines import Coroutines
from .handler import Handler
from .holdings import Holdings
from .recycle import Age, Recycle
from .watch import Watch

_IDLE_SECONDS = 1.0
_JOIN_SECONDS = 0.1


class Worker:
    """Works until told to stop: plain handlers one at a time, in the main thread.

    Those that are async are handled beside it, some at a time (coroutines.py).
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        id: int,
        lease: float,
        holdings: Holdings,
        line: Connection,
        signals: int,
        beside: Store | None,
        recycle: Recycle,
    ) -> None:
        """`signals` is readable after a signal; `beside` is for async handlers, if there are any."""
        self._holdings = holdings
        self._line = line
        self._signals = signals
        self._age = Age(recycle)
        self._recycling = False
        self._quiet = False
        self._stopping = False
        self._pid = os.getpid()
        plain = {name: handler for name, handler in handlers.items() if not handler.is_async}
        self._queues = list(plain)
        self._watch = Watch(store.engine, lease, self._cancel)
        claims = partial(Claims, worker=id, lease=lease, holdings=holdings, watch=self._watch)
        self._claims = claims(store, plain)
        self._coroutines: Coroutines | None = None
        if beside is not None:
            others = {name: handlers[name] for name in handlers if name not in plain}
            self._coroutines = Coroutines(others, beside, claims(beside, others))
        self._heard = select.poll()
        self._heard.register(line.fileno(), select.POLLIN)
        self._alarms = select.poll()
        for fd in (line.fileno(), signals):
            self._alarms.register(fd, select.POLLIN)

    def stop(self) -> None:
        """Finish what is in work and claim no more; safe in a signal handler."""
        self._stopping = True
        if self._coroutines is not None:
            self._coroutines.stop()

    def run(self) -> None:
        """Work until told to stop, or until the supervisor is gone; in the main thread."""
        self._watch.start()
        if self._coroutines is not None:
            self._coroutines.start()
        self._holdings.say("idle")
        while not self._stopping:
            self._hear()
            self._recycle()
            self._round()
        self._holdings.say("stopping")
        self.stop()
        self._claims.flush()
        while self._coroutines is not None and not self._coroutines.join(_JOIN_SECONDS):
            continue  # so that signals are heard meanwhile
        self._watch.stop()

    def _round(self) -> None:
        """Claim and handle one delivery, or wait for it."""
        work = self._watch.interrupts.begin()
        if self._quiet or not self._queues:
            self._claims.flush()
            self._sleep(_IDLE_SECONDS)
            return
        claims = self._claims.next(self._queues)
        for claim in claims:
            self._handle(claim, work)
        if not claims:
            if not self._claims.pause:
                self._claims.wait(self._queues, self._signals, self._line.fileno())
            self._sleep(self._claims.pause)

    def _hear(self) -> None:
        """Take in what the supervisor has said."""
        while self._heard.poll(0):
            try:
                word = self._line.recv_bytes()
            except (EOFError, OSError):
                self.stop()  # it is gone
                return
            self._quiet = word == b"quiet"
            self._holdings.say("quiet" if self._quiet else "idle")
            if self._coroutines is not None:
                self._coroutines.quiet(self._quiet)

    def _recycle(self) -> None:
        if self._recycling:
            return
        if (why := self._age.why(self._holdings.ended)) is not None:
            self._recycling = True
            with contextlib.suppress(OSError):
                self._line.send_bytes(b"recycle " + why.encode())

    def _sleep(self, seconds: float) -> None:
        """Sleep until the supervisor says something, a signal comes, or time is up."""
        self._alarms.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._signals, 4096)

    def _handle(self, claim: Claim, work: int) -> None:
        attempt = self._claims.begin(claim, partial(self._watch.interrupts.ask, work))
        try:
            result = self._call(attempt)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the handler raised it
            self._claims.spare(attempt)
            self._claims.failed(attempt, error)
        else:
            self._claims.spare(attempt)
            self._claims.returned(attempt, result)

    def _call(self, attempt: Attempt) -> object:
        handler = attempt.handler
        try:
            result = self._watch.interrupts.call(
                handler.function, attempt.claim.message, attempt.context
            )
        finally:
            if os.getpid() != self._pid:
                os._exit(1)  # a child that the handler forked has come back out of it
        if inspect.iscoroutine(result) or inspect.isgenerator(result):
            result.close()
            raise TypeError(f"{handler.name} did not run: it made a {type(result).__name__}")
        return result

    def _cancel(self) -> None:
        if self._coroutines is not None:
            self._coroutines.cancel()
