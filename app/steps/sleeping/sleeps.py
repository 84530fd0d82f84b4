"""Sleeping: the attempt ends, and a later one goes on after that time."""

from __future__ import annotations

from typing import Any, NoReturn

from ....store import Claim
from ....store.engine import Engine
from ....store.types.durable.sleep import Sleep
from ....store.types.durable.step import StepRecord
from ....store.types.durable.wait import MOST_WAITS, Place, Wanted
from ....store.types.validate import Duration, milliseconds
from .. import outcome
from ..errors import Suspended
from ..guard import Guard
from ..journal import Journal
from .suspension import Suspension


class Sleeps:
    """The sleeps of one attempt.

    Attributes:
        suspension: What the attempt sleeps at; None while it does not.
    """

    def __init__(self, claim: Claim, engine: Engine, journal: Journal, guard: Guard) -> None:
        self._claim = claim
        self._engine = engine
        self._journal = journal
        self._guard = guard
        self.suspension: Suspension | None = None
        self._locked_ms = 0  # the store's lock was held once at this time or later

    def sleep(self, name: str, seconds: Duration) -> Any:
        """End the attempt until that time is over; after it return None, or an awaitable of it."""
        ms = milliseconds(seconds, "seconds")
        task = self._guard.name(name)
        occurrence, found = self._journal.ask(name, ("sleep",))
        now_ms = self._engine.clock.now_ms()
        if found is None:
            until_ms = now_ms + ms
            record = self._journal.new(name, occurrence, "sleep", str(until_ms))
        else:
            until_ms, record = int(outcome.decode(found.outcome)), None
        if record is None and now_ms >= until_ms:
            return None if task is None else nothing()
        if task is None:
            self._suspend(name, until_ms, record)
        return self._suspend_async(name, until_ms, record)

    async def _suspend_async(self, name: str, until_ms: int, record: StepRecord | None) -> None:
        self._suspend(name, until_ms, record)

    def _suspend(self, name: str, until_ms: int, record: StepRecord | None) -> NoReturn:
        suspension = self._begin()
        suspension.add(name, until_ms, record)
        raise suspension.raised

    def _begin(self) -> Suspension:
        if self._journal.stuck is None:
            raised = Suspended("the delivery sleeps; the handler goes on in a later attempt")
            self.suspension, self._journal.stuck = Suspension(raised), raised
        if self.suspension is None or not self.suspended:
            raise self._journal.stuck
        return self.suspension

    @property
    def suspended(self) -> bool:
        """True once the attempt ends in a sleep: no other step has made that impossible since."""
        return self.suspension is not None and self._journal.stuck is self.suspension.raised

    def check_room(self) -> None:
        """Refuse one wait too many.

        Raises:
            LimitExceeded: The attempt ends with that.
        """
        begun = 0 if self.suspension is None else len(self.suspension.waits)
        if self._engine.durable.waits.count(self._claim.id) + begun >= MOST_WAITS:
            raise self._journal.full(f"a delivery has at most {MOST_WAITS} waits")

    def is_over(self, place: Place, deadline_ms: int) -> bool:
        """True if a wait that is still open has timed out.

        The store is asked under its lock once. Whatever was let in before that moment was
        there when the wait was looked up, if its deadline was before it too.
        """
        now_ms = self._engine.clock.now_ms()
        if deadline_ms > now_ms or deadline_ms <= self._locked_ms:
            return deadline_ms <= now_ms
        over = self._engine.durable.waits.is_over(self._claim.hold, place)
        self._locked_ms = now_ms
        return over

    def wait(self, wanted: Wanted, *, anew: bool) -> NoReturn:
        """End the attempt until it has come, or the deadline has."""
        suspension = self._begin()
        suspension.waits.append(wanted)
        suspension.anew |= anew
        suspension.add(wanted.place.name, wanted.deadline_ms, None)
        raise suspension.raised

    def suspend(self) -> None:
        """Put the delivery to sleep, after its handler has ended.

        Raises:
            LeaseLost: Another worker has claimed the delivery; nothing was changed.
        """
        asleep = self.suspension
        assert asleep is not None
        asleep.records = self._journal.take(*asleep.records)
        sleep = Sleep(asleep.at, int(asleep.until_ms), asleep.anew, asleep.records, asleep.waits)
        self._engine.durable.steps.suspend(self._claim.hold, sleep)


async def nothing() -> None:
    """Return at once."""
