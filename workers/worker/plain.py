"""Handlers of one worker that are no coroutines: one after the other, in the main thread."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Mapping
from functools import partial

from ...app.handlers.handler import Handler
from ...store import Claim
from .attempt import Attempt
from .claimer import Claimer
from .in_progress import InProgress
from .interrupts.interrupt import Interrupts
from .prefetch import BUDGET_MS, Prefetch


class Plain:
    """Claims what can soon be handled, handles it, and gives back what does not begin in time.

    Attributes:
        queues: Those it claims from.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        claimer: Claimer,
        in_progress: InProgress,
        interrupts: Interrupts,
        *,
        stopping: Callable[[], bool],
        continues: Callable[[], bool],
        room: Callable[[], int],
    ) -> None:
        """Take what the worker knows.

        Args:
            continues: Asked between two handlers: whether the next of a batch may begin.
            room: How many deliveries may be claimed at once, whatever the handlers take.
        """
        self.queues = list(handlers)
        self._claimer = claimer
        self._in_progress = in_progress
        self._interrupts = interrupts
        self._stopping = stopping
        self._continues = continues
        self._room = room
        self._prefetch = Prefetch(handlers.values())
        self._pid = os.getpid()

    def work(self) -> list[Claim]:
        """Claim some deliveries of one queue and handle them; return the claims."""
        most, cancels = self._prefetch.most, self._interrupts.cancels
        limit = max(1, min(self._room(), max(most.values())))
        claims = self._claimer.next(self.queues, limit, most)
        if not claims:
            return claims
        began, handled = time.monotonic(), 0
        for claim in claims:
            more = handled + 1 < len(claims)
            if self._stopping() or self._interrupts.cancels != cancels:
                break
            if handled and not self._is_in_time():
                break
            if not self._handle(claim, more=more):
                break
            handled += 1
        if 0 < handled < len(claims):
            self._claimer.tidy(claims[handled - 1])
        self._claimer.give_back(claims[handled:])
        if handled:
            self._prefetch.handled(claims[0].queue, handled, time.monotonic() - began)
        return claims

    def _is_in_time(self) -> bool:
        """True if another of the batch may begin.

        Its age is counted while the process is stopped and the machine suspended: then the
        lease may be lost, and another worker at it.
        """
        return self._continues() and self._in_progress.age_ms < BUDGET_MS

    def _handle(self, claim: Claim, *, more: bool) -> bool:
        """Call a handler; False if it must not be called. `more` of the batch may follow it."""
        # Each by a number of its own: what is to interrupt one must not interrupt the next.
        work = self._interrupts.begin()
        attempt = self._claimer.begin(claim, partial(self._interrupts.ask, work))
        if attempt is None:
            return False
        try:
            result = self._call(attempt)
        except BaseException as error:  # noqa: BLE001 - the handler may raise anything
            self._claimer.end(attempt, error, quick=more)
            self._claimer.failed(attempt, error)
        else:
            self._claimer.end(attempt, result=result, quick=more)
            self._claimer.returned(attempt, result)
        return True

    def _call(self, attempt: Attempt) -> object:
        handler = attempt.handler
        try:
            result = self._interrupts.call(handler.function, attempt.claim.message, attempt.context)
        finally:
            if os.getpid() != self._pid:
                os._exit(1)  # a child that the handler forked has come back out of it
        if result is not None and (inspect.iscoroutine(result) or inspect.isgenerator(result)):
            result.close()
            raise TypeError(f"{handler.name} did not run: it returned a {type(result).__name__}")
        return result
