"""Claims deliveries for a worker, and tells the store how each attempt ended."""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ...app.context import Context
from ...app.handlers.handler import Handler
from ...app.handlers.results import storable
from ...app.outage import Outage
from ...app.sending.sender import Postponed
from ...app.steps.facts import NO_FACTS, AppFacts
from ...log import delivery_lines
from ...log.log import log
from ...store import Claim, Store
from ...store.engine import Hold
from ...store.errors import FencepostError, InvalidInput, LeaseLost, LimitExceeded, OutcomeUnknown
from ...store.rules.failures.jitter import jitter
from .attempt import Attempt, clear_frames
from .ending import ending, took
from .in_progress import InProgress
from .interrupts.interrupter import Interrupter


class Claimer:
    """Claims and settles the deliveries of one worker.

    A delivery is acknowledged in the transaction of the next claim, which begins as soon as
    the handler has returned. So there is one commit for each message, and none waits for it.

    Attributes:
        acks: Deliveries that are done and not acknowledged yet, with their results.
        releases: Deliveries that were not begun and are not given back yet.
        postponed: Deliveries whose handlers put them off, and for how many milliseconds.
        pause: Seconds to wait before asking the store again; 0 if it has answered.
        asked_ms: The stopwatch before the newest claims.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        worker: int,
        lease: float,
        in_progress: InProgress,
        interrupter: Interrupter,
        tidy: Callable[[Claim, bool], None],
        app: AppFacts = NO_FACTS,
    ) -> None:
        """Take what the worker knows.

        Args:
            tidy: Called after each handler, and told whether a quick look is enough.
            app: What contexts know of the app.
        """
        self._store = store
        self._handlers = handlers
        self._worker = worker
        self._lease_ms = round(lease * 1000)
        self._in_progress = in_progress
        self._interrupter = interrupter
        self._tidy = tidy
        self._app = app
        self._joins = {name: each.most for name, each in handlers.items() if each.coalesce}
        self._limits = {name: handler.limits for name, handler in handlers.items()}
        self._outage = Outage()
        self._unsure = False
        self._told: set[str] = set()
        self._endings: deque[tuple[Hold, Callable[[], object]]] = deque()
        # Of attempts that run, or whose outcome the store has not been told, by fence.
        self._begun: dict[int, Claim] = {}
        # When a handler began and ended whose ack is to be logged, by fence.
        self._times: dict[int, tuple[float, float]] = {}
        self.acks: list[tuple[Hold, str | None]] = []
        self.releases: list[Hold] = []
        self.postponed: list[tuple[Hold, int]] = []
        self.pause = 0.0
        self.asked_ms = 0

    @property
    def unsettled(self) -> bool:
        """True while the store has not been told the outcome of every claim."""
        return bool(self.acks or self.releases or self.postponed or self._endings)

    @property
    def ending(self) -> int:
        """How many attempts have ended of which the store has not been told."""
        return len(self.acks) + len(self.postponed) + len(self._endings)

    def next(
        self, queues: Sequence[str], limit: int = 1, prefetch: Mapping[str, int] | None = None
    ) -> list[Claim]:
        """Acknowledge what is done, give back what is not begun, claim more: one transaction.

        At most `limit`; with `prefetch` of one queue, and at most what stands there. If it
        fails, nothing is claimed, and the next call repeats the rest.
        """
        if not self._tell():
            return []
        self.asked_ms = self._store.engine.clock.stopwatch_ms()
        try:
            self._disown()
            leases, refused = self._store.engine.queue.claim(
                jitter.sample(queues, len(queues)) if len(queues) > 1 else queues,
                limit=limit,
                lease_ms=self._lease_ms,
                owner=self._worker,
                limits=self._limits,
                acks=self.acks,
                releases=self.releases,
                postponed=self.postponed,
                prefetch=prefetch,
                joins=self._joins,
            )
        except FencepostError as error:
            self._unsure |= isinstance(error, OutcomeUnknown)
            self.pause = self._outage.met(error)
            return []
        self._answered()
        if self.acks:
            self._acknowledged({hold.fence for hold in refused})
        self.releases = []
        for hold, _ in self.postponed:
            self._drop(hold)
        self.postponed = []
        fences = [each.hold.fence for each in leases]
        self._in_progress.note(fences, ahead=prefetch is not None)
        return [Claim(self._store.engine, leased) for leased in leases]

    def _acknowledged(self, lost: Collection[int]) -> None:
        now_ms, now = self._store.engine.clock.now_ms(), time.monotonic()
        log.gather()
        try:
            for hold, _ in self.acks:
                times = self._times.pop(hold.fence, None)
                if hold.fence in lost:
                    self._log_lost(hold)
                claim = self._begun.pop(hold.fence, None)
                if claim is not None and times is not None and hold.fence not in lost:
                    delivery_lines.handled(claim, *times, now_ms - (now - times[1]) * 1000)
        finally:
            log.flush()
        count = len(self.acks)
        self._in_progress.settled(handled=count - len(lost), ended=count)
        self.acks = []

    def _disown(self) -> None:
        """Release what an earlier claim has taken whose outcome was unknown."""
        if self._unsure:
            told = (*self.acks, *self.postponed)
            mine = {*self._in_progress.fences, *(hold.fence for hold, _ in told)}
            self._store.engine.pools.disown(self._worker, mine)
            self._unsure = False

    def idle(self, queues: Sequence[str]) -> float:
        """Return how many seconds to sleep, unless the store's wakeup is signalled."""
        engine = self._store.engine
        try:
            engine.wakeup.clear()
            at = engine.queue.next_at_ms(queues)
        except FencepostError as error:
            self.pause = self._outage.met(error)
            return self.pause
        self._answered()
        # For a wake-up that was missed; with jitter, so that a pool does not poll in step.
        wait = jitter.uniform(0.75, 1.25) * engine.wakeup.poll_seconds
        return wait if at is None else min(wait, (at - engine.clock.now_ms()) / 1000)

    def begin(
        self, claim: Claim, interrupt: Callable[[BaseException, Callable[[], bool]], None]
    ) -> Attempt | None:
        """Have the lease renewed and the deadlines watched; the handler is called next.

        None if the supervisor is giving the delivery back: the handler must not be called.
        """
        handler = self._handlers[claim.queue]
        ends_ms = self.asked_ms + claim.lasts_ms
        lease = self._in_progress.begin(claim.hold, ends_ms, handler.timeout)
        if self._in_progress.is_taken(claim.hold):
            self._in_progress.not_begun(claim.hold)
            return None
        check = self._interrupter.interrupts.check
        context = Context(claim, self._store, lease, check, self._app, handler.at_most_once)
        attempt = Attempt(claim, handler, context, lease, interrupt)
        self._begun[claim.fence] = claim
        self._interrupter.begin(attempt)
        return attempt

    def give_back(self, claims: Iterable[Claim]) -> None:
        """Release claims whose handlers were not called, with the next claim."""
        self.releases += [claim.hold for claim in claims]

    def tidy(self, claim: Claim) -> None:
        """Look closely at what the handlers since the last such look have left."""
        self._tidy(claim, False)

    def end(
        self,
        attempt: Attempt,
        error: BaseException | None = None,
        result: object = None,
        *,
        quick: bool = False,
    ) -> None:
        """Stop watching a handler that has returned a result, or raised an error.

        With `quick`, only a quick look at what it has left: another of the batch may follow.
        If it has left a transaction open, this process exits, and the delivery is blamed for
        the crash: while that transaction is open, no process can write to the store.
        """
        attempt.context.close()
        if error is not None:
            clear_frames(error)
        self._tidy(attempt.claim, quick)
        if self._store.engine.transactions.is_open():
            gc.collect()
            if self._store.engine.transactions.is_open():
                what = delivery_lines.about(attempt.claim)
                log.error("the handler has left a transaction open: its worker ends", **what)
                os._exit(1)
        self._interrupter.end(attempt)
        context = attempt.context
        # What the supervisor acknowledges has no result, counts nothing and supersedes none.
        plain = result is None and context.ends_with is None and not context.counted
        plain = plain and not attempt.claim.hold.latest
        done = context.completed or (error is None and plain)
        self._in_progress.end(attempt.claim.hold, done=done, handled=context.completed)

    def returned(self, attempt: Attempt, result: object) -> None:
        """Acknowledge the delivery with the next claim."""
        times = attempt.began, time.monotonic()
        if attempt.context.completed:
            self._begun.pop(attempt.claim.fence, None)
            if log.writes("info"):
                delivery_lines.handled(attempt.claim, *times, self._store.engine.clock.now_ms())
            return
        if (ends_with := attempt.context.ends_with) is not None:
            self.failed(attempt, ends_with)
            return
        if log.writes("info"):
            self._times[attempt.claim.fence] = times
        encoded = None if result is None else self._storable(attempt.claim, result)
        self.acks.append((attempt.claim.hold, encoded))

    def _storable(self, claim: Claim, result: object) -> str | None:
        encoded, wrong = storable(result)
        if wrong and claim.queue not in self._told:
            self._told.add(claim.queue)
            log.warning(wrong, queue=claim.queue, delivery=f"d{claim.id}")
        return encoded

    def failed(self, attempt: Attempt, error: BaseException) -> None:
        """Tell the store of the failure, just before the next claim."""
        claim = attempt.claim
        if attempt.context.completed:
            log.error(
                "handler failed after its transaction", **took(self._store, attempt), exc_info=error
            )
            self._begun.pop(claim.fence, None)
        elif isinstance(error, Postponed):
            self.postponed.append((claim.hold, error.delay_ms))
        else:
            self._endings.append((claim.hold, ending(self._store, attempt, error)))

    def _tell(self) -> bool:
        """Tell the store of the attempts that failed; False while it does not answer."""
        while self._endings:
            hold, end = self._endings[0]
            try:
                end()
            except LeaseLost:
                self._log_lost(hold)
            except (InvalidInput, LimitExceeded):
                raise
            except FencepostError as error:
                self.pause = self._outage.met(error)
                return False
            self._answered()
            delivery_lines.places.pop(hold.id, None)
            self._endings.popleft()
            self._drop(hold)
        return True

    def _drop(self, hold: Hold) -> None:
        self._begun.pop(hold.fence, None)
        self._in_progress.settled(handled=0)

    def _log_lost(self, hold: Hold) -> None:
        claim = self._begun.get(hold.fence)
        about = {"delivery": f"d{hold.id}"} if claim is None else delivery_lines.about(claim)
        log.warning("lease lost: the outcome is dropped", **about, fence=hold.fence)

    def _answered(self) -> None:
        self.pause = 0.0
        self._outage.over()
