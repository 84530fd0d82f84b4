"""Waiting for an answer: the attempt ends, and a later one finds the answer or the deadline."""

from __future__ import annotations

from typing import Any

from ....store import Claim
from ....store.engine import Engine
from ....store.errors import InvalidInput
from ....store.types.durable.wait import NEVER_MS, Place, Wanted
from ....store.types.validate import Duration, milliseconds
from ....store.waiting.wait_token import make_token
from .. import outcome
from ..errors import WaitTimeout
from ..guard import Guard, check_name
from ..journal import Journal
from ..sleeping.sleeps import Sleeps


class Waits:
    """The waits of one attempt."""

    def __init__(
        self,
        claim: Claim,
        engine: Engine,
        journal: Journal,
        guard: Guard,
        sleeps: Sleeps,
        url: str | None,
    ) -> None:
        """`url` is the app's, below which `/resume/<token>` is reached."""
        self._claim = claim
        self._engine = engine
        self._journal = journal
        self._guard = guard
        self._sleeps = sleeps
        self._url = url

    def url(self, name: str) -> str:
        """Return the URL that answers the next wait of this name."""
        if self._url is None:
            raise InvalidInput(
                "ctx.wait_url needs the address at which senders reach the receiver:"
                ' App(..., url="https://hooks.example.com")',
                operation="wait_url",
            )
        check_name(name)
        place = Place(self._claim.id, name, self._journal.asked(name) + 1, self._claim.generation)
        self._journal.mark()
        since_ms = round(self._claim.message.received_at * 1000)
        token = make_token(self._engine, place, since_ms=since_ms)
        return f"{self._url.rstrip('/')}/resume/{token}"

    def wait(self, name: str, timeout: Duration | None) -> Any:
        """Return the answer, or an awaitable of it; end the attempt while there is none.

        Raises:
            WaitTimeout: None came in time.
        """
        task = self._guard.name(name)
        ms = None if timeout is None else milliseconds(timeout, "timeout")
        occurrence, _ = self._journal.ask(name, ("wait",))
        place = Place(self._claim.id, name, occurrence, self._claim.generation)
        if task is None:
            return self._look(place, ms)
        return self._look_async(place, ms)

    async def _look_async(self, place: Place, ms: int | None) -> Any:
        return self._look(place, ms)

    def _look(self, place: Place, ms: int | None) -> Any:
        waits, now_ms = self._engine.durable.waits, self._engine.clock.now_ms()
        found = waits.find(place)
        if found is not None and found.answer is not None:
            self._journal.mark()
            return outcome.decode(found.answer)
        deadline_ms = None if found is None else found.deadline_ms
        anew = deadline_ms is None
        if deadline_ms is None:
            self._sleeps.check_room()
            deadline_ms = NEVER_MS if ms is None else now_ms + ms
        elif self._sleeps.is_over(place, deadline_ms):
            raise WaitTimeout(place.name)
        self._journal.mark()
        return self._sleeps.wait(Wanted(place, deadline_ms), anew=anew)
