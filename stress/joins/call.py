"""One call of a handler that joins: what it notes, and where its process dies or stands still."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ...app import Context
from ...app.exceptions import Retry
from ...store import Message
from ...store.errors import LeaseLost
from ...store.types.transaction import Transaction
from ..durable.first import is_first
from ..durable.notes import Note, Notes
from ..harness.waiting import until
from .plan import Plan

EFFECTS = "create table if not exists effects (delivery integer, fence integer)"
EFFECT = "insert into effects select value, ? from json_each(?)"

_LATE_SECONDS = 20.0
_RAISES = 0.04


class Call:
    """What one call does beside its work; use it as a context manager around that.

    Attributes:
        ids: Of the deliveries that were claimed for it, as they were handed over.
    """

    def __init__(self, messages: list[Message], ctx: Context) -> None:
        hold = ctx._claim.hold
        self.ids = [*hold.joined, hold.id] if hold.latest else [hold.id, *hold.joined]
        self._ctx = ctx
        self._messages = messages
        # With latest_only, of those of which the message is at hand.
        self._given = dict(zip(self.ids[-len(messages) :], messages, strict=True))
        self._plans = {
            id: msgspec.json.decode(each.body, type=Plan) for id, each in self._given.items()
        }
        self._ended = False
        self._notes = _notes()

    def __enter__(self) -> Self:
        arrived = [round(each.received_at * 1000) for each in self._messages]
        keys = sorted({plan.key for plan in self._plans.values()})
        self._note("call", " ".join(keys), json.dumps([self.ids, list(self._given), arrived]))
        self.at("begin")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._note("ended", "raised", type(error).__name__)
        elif not self._ended:
            failed = self._ctx._failed or {}
            self.end("failed" if failed else "done", sorted(failed))
            self.at("end")

    def end(self, how: str, failed: list[int] | None = None) -> None:
        """Note how it ends."""
        self._ended = True
        self._note("ended", how, json.dumps(failed or []))

    def at(self, point: str) -> None:
        """Die here, if that is a message's plan and no process has done so before."""
        for id, plan in self._plans.items():
            if plan.kill == point and is_first(f"kill-{id}"):
                self._note("killed", point)
                os.kill(os.getpid(), signal.SIGKILL)

    def raise_now_and_then(self) -> None:
        """Fail as a whole, by chance."""
        if random.random() < _RAISES:
            raise Retry

    def raise_of_poison(self) -> None:
        """Fail as a whole if one of the messages is poison."""
        if any(plan.poison for plan in self._plans.values()):
            raise Retry

    def fail_some(self) -> None:
        """Say which messages have failed."""
        claim = self._ctx._claim
        attempts = {claim.id: claim.attempt} | {each.id: each.attempt for each in claim.joined}
        for id, message in self._given.items():
            if attempts[id] <= self._plans[id].fails:
                self._ctx.fail(message, "as planned")

    @contextmanager
    def stopped_if_planned(self) -> Iterator[Callable[[], AbstractContextManager[Transaction]]]:
        """Return what opens the transaction that ends the call.

        One that is to be stopped stands still before, until another call has these messages. And
        that one only goes on after this one has tried.
        """
        if came_late := [id for id in self.ids if Path(f"stopped-{id}").exists()]:
            Path(f"second-{came_late[0]}").touch()
            until(Path(f"late-{came_late[0]}").exists, "it has tried", seconds=_LATE_SECONDS)
            yield self._ctx.transaction
            return
        id, numbers = self.ids[0], {plan.stop for plan in self._plans.values()} - {0}
        if len(self.ids) == 1 or not any(is_first(f"stop-{number}") for number in numbers):
            yield self._ctx.transaction
            return
        late, refused = Path(f"late-{id}"), False
        is_first(f"stopped-{id}", f"{os.getpid()} {os.getppid()}")
        self._note("stopped")
        # Else its worker tells it that the lease is lost, before it has tried to write.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            yield self._ctx._claim.transaction  # the context's own looks whether the lease is lost
        except LeaseLost:
            refused = True
            raise
        finally:
            if Path(f"second-{id}").exists():
                self._note("late", "refused" if refused else "written")
            late.touch()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})

    def _note(self, what: str, step: str = "", says: str = "") -> None:
        now = self._ctx.store.engine.clock.now_ms()
        self._notes.write(Note(what, now, self.ids[0], self._ctx.fence, step, says))


@cache
def _notes() -> Notes:
    return Notes(Path())
