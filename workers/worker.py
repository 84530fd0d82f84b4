"""One worker process: claim, handle, settle, one delivery at a time."""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Callable, Mapping
from functools import partial

from multiprocess.connection import Connection

from ..store import Claim, Store
from ..store.claim import encode_result
from ..store.engine import Hold
from ..store.errors import InvalidInput, LeaseLost, LimitExceeded, OutcomeUnknown, StoreBusy
from ..store.renewal import Tenure
from .context import Context
from .handler import Handler
from .keeper import Keeper
from .log import log
from .rules import verdict

# The fallback for a wake-up that was missed; jittered so that a pool does not poll in step.
_POLL_SECONDS = 1.0

_MAX_RESULT = 64 * 1024


class Worker:
    """Works until told to stop.

    A delivery's ack rides in the transaction of the next claim, which begins as soon as
    the handler has returned: one commit for each message, and no message waits for it.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        id: int,
        lease: float,
        keeper: Keeper,
        line: Connection,
        signals: int,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._id = id
        self._lease = lease
        self._keeper = keeper
        self._line = line
        self._signals = signals
        self._limits = {name: handler.limits for name, handler in handlers.items()}
        self._acks: list[tuple[Hold, str | None]] = []
        self._stopping = False
        self._pid = os.getpid()

    def stop(self) -> None:
        """Finish the delivery in work and claim no more; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Work until told to stop, or until the supervisor is gone."""
        self._keeper.say("idle")
        while not self._stopping:
            asked_ms = self._store.engine.now_ms()
            claim = self._next()
            if claim is not None:
                self._handle(claim, asked_ms)
            elif not self._acks:
                self._wait()
        for hold, result in self._acks:
            self._settle(hold, partial(self._store.engine.ack, hold, result))

    def _next(self) -> Claim | None:
        """Ack what is finished and claim one more, in one transaction."""
        queues = random.sample(list(self._handlers), len(self._handlers))
        try:
            leases, refused = self._store.engine.claim(
                queues,
                limit=1,
                lease_ms=round(self._lease * 1000),
                owner=self._id,
                limits=self._limits,
                acks=self._acks,
            )
        except StoreBusy as error:
            log.warning("store busy", operation="claim", waited=error.waited)
            return None
        for hold in refused:
            _log_lost(hold)
        if self._acks:
            self._keeper.drop(handled=not refused)
            self._acks = []
        return Claim(self._store.engine, leases[0]) if leases else None

    def _wait(self) -> None:
        """Sleep until there may be something to claim."""
        self._keeper.say("idle")
        engine = self._store.engine
        engine.hush()
        at = engine.next_at_ms(list(self._handlers))
        wait = random.uniform(0.75, 1.25) * _POLL_SECONDS
        if at is not None:
            wait = min(wait, (at - engine.now_ms()) / 1000)
        if wait > 0:
            engine.wait(wait, self._signals, self._line.fileno())
        if self._line.poll():
            self._stopping = True  # nothing is ever sent this way: the supervisor is gone

    def _handle(self, claim: Claim, asked_ms: int) -> None:
        handler = self._handlers[claim.queue]
        tenure = self._keeper.keep(claim.hold, asked_ms)
        context = Context(claim, self._store, tenure)
        if handler.timeout is not None:
            self._line.send_bytes(b"limit %d" % round(handler.timeout * 1000))
        try:
            result = self._call(handler, claim, context)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the handler raised it
            self._failed(claim, context, tenure, error)
        else:
            if context.completed:
                self._keeper.drop(handled=True)
            else:
                self._acks.append((claim.hold, _storable(result)))
        finally:
            if handler.timeout is not None:
                self._line.send_bytes(b"limit 0")

    def _call(self, handler: Handler, claim: Claim, context: Context) -> object:
        try:
            result = handler.function(claim.message, context)
        finally:
            if os.getpid() != self._pid:
                os._exit(1)  # a child that the handler forked has come back out of it
        if inspect.iscoroutine(result) or inspect.isgenerator(result):
            result.close()
            raise TypeError(f"{handler.name} did not run: it made a {type(result).__name__}")
        return result

    def _failed(self, claim: Claim, context: Context, tenure: Tenure, error: BaseException) -> None:
        if context.completed:
            log.error("failed after its transaction", delivery=claim.id, exc_info=error)
            self._keeper.drop(handled=True)
            return
        if tenure.lost:
            _log_lost(claim.hold)
        else:
            found = verdict(self._handlers[claim.queue], error, claim.attempt)
            if not found.expected:
                log.error("handler failed", queue=claim.queue, delivery=claim.id, exc_info=error)
            if found.retry_after is None:
                self._settle(claim.hold, lambda: claim.bury(found.error))
            else:
                self._settle(claim.hold, lambda: claim.retry(found.retry_after, found.error))
        self._keeper.drop(handled=False)

    def _settle(self, hold: Hold, settle: Callable[[], object]) -> None:
        """Tell the store how it ended, for as long as that takes and somebody may believe it."""
        while True:
            try:
                settle()
            except (StoreBusy, OutcomeUnknown) as error:
                log.warning("not settled yet", operation=error.operation, error=str(error))
                continue
            except LeaseLost:
                _log_lost(hold)
            return


def _storable(result: object) -> str | None:
    """What of a handler's return value can be kept: JSON of a sensible size."""
    try:
        encoded = encode_result(result)
    except (InvalidInput, LimitExceeded):
        return None
    return encoded if encoded is None or len(encoded) <= _MAX_RESULT else None


def _log_lost(hold: Hold) -> None:
    log.warning("lease lost: the outcome is dropped", delivery=hold.id, fence=hold.fence)
