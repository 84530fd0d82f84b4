"""Waiting for a message of a source, which may have come before the wait began."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ....store import Claim, Message
from ....store.engine import Engine
from ....store.errors import InvalidInput, LimitExceeded
from ....store.types import validate
from ....store.types.durable.step import StepRecord
from ....store.types.durable.wait import NEVER_MS, Place, Subject, Wanted
from ....store.types.validate import Duration, milliseconds
from ...functions import of_message
from ..errors import WaitTimeout
from ..guard import Guard
from ..journal import Journal
from ..outcome import MOST_BYTES
from ..sleeping.sleeps import Sleeps

Match = Callable[[Message], Any]

# Read at a time; a body may have 25 MiB.
_BATCH = 20


class Events:
    """The waits of one attempt for messages."""

    def __init__(
        self,
        claim: Claim,
        engine: Engine,
        journal: Journal,
        guard: Guard,
        sleeps: Sleeps,
        keeps_bodies: Mapping[str, bool],
    ) -> None:
        """`keeps_bodies` are the sources by name, and whether they keep the bodies of messages."""
        self._claim = claim
        self._engine = engine
        self._journal = journal
        self._guard = guard
        self._sleeps = sleeps
        self._keeps_bodies = keeps_bodies

    def wait_for(
        self,
        source: str,
        event: str,
        *,
        key: str | None,
        match: Match | None,
        timeout: Duration | None,
    ) -> Any:
        """Return the message, or an awaitable of it; end the attempt while there is none.

        Raises:
            WaitTimeout: None came in time.
        """
        self._check(source, event, key, match)
        name = f"{source} {event}"
        task = self._guard.name(name)
        ms = None if timeout is None else milliseconds(timeout, "timeout")
        occurrence, found = self._journal.ask(name, ("event",))
        place = Place(self._claim.id, name, occurrence, self._claim.generation)
        subject = Subject(source, event, key, self._before(name, occurrence))
        if task is None:
            return self._look(place, subject, match, ms, found)
        return self._look_async(place, subject, match, ms, found)

    async def _look_async(self, *given: Any) -> Message:
        return self._look(*given)

    def _look(
        self,
        place: Place,
        subject: Subject,
        match: Match | None,
        ms: int | None,
        found: StepRecord | None,
    ) -> Message:
        if found is not None:
            return self._taken(found)
        waits, now_ms = self._engine.durable.waits, self._engine.clock.now_ms()
        stored = waits.find(place)
        deadline_ms = None if stored is None else stored.deadline_ms
        anew = deadline_ms is None
        if deadline_ms is None:
            self._sleeps.check_room()
            deadline_ms = NEVER_MS if ms is None else now_ms + ms
        if stored is not None and stored.after is not None:
            subject = subject._replace(after=stored.after)
        message, after = self._search(subject, match, deadline_ms)
        if message is None and self._sleeps.is_over(place, deadline_ms):
            # Whatever was received before the deadline is there now.
            message, after = self._search(subject._replace(after=after), match, deadline_ms)
            if message is None:
                raise WaitTimeout(place.name)
        if message is not None:
            return self._take(place, message)
        self._journal.mark()
        wanted = Wanted(place, deadline_ms, subject._replace(after=after))
        return self._sleeps.wait(wanted, anew=anew)

    def _search(
        self, subject: Subject, match: Match | None, before_ms: int
    ) -> tuple[Message | None, int]:
        """Return the first message that matches, and up to which id has been looked."""
        while True:
            found, last = self._engine.durable.waits.messages(
                subject, before_ms=before_ms, limit=_BATCH
            )
            for message in found:
                if match is None or match(message):
                    return message, message.id
            if len(found) < _BATCH:
                return None, last
            subject = subject._replace(after=last)

    def _take(self, place: Place, message: Message) -> Message:
        """Record the message: a later attempt gets the same, also when it is forgotten."""
        if len(message.body) > MOST_BYTES:
            self._journal.stuck = LimitExceeded(
                f"message m{message.id} came for {place.name!r}, and its body is over"
                f" {MOST_BYTES} bytes",
                operation="wait_for",
            )
            raise self._journal.stuck
        facts = {
            "id": message.id,
            "source": message.source,
            "key": message.key,
            "event": message.event,
            "headers": dict(message.headers),
            "received_at": message.received_at,
            "copy_of": message.copy_of,
        }
        event = self._journal.new(place.name, place.occurrence, "event", json.dumps(facts))
        body = self._journal.new(_body_of(place.name), place.occurrence, "body", message.body)
        self._journal.write(self._journal.take(event, body))
        return self._taken(event)

    def _taken(self, event: StepRecord) -> Message:
        assert isinstance(event.outcome, str)
        body = self._journal.known(_body_of(event.name), event.occurrence)
        assert body is not None
        assert isinstance(body.outcome, bytes)
        return Message(**json.loads(event.outcome), body=body.outcome)

    def _before(self, name: str, occurrence: int) -> int:
        """Return the id of the message that the previous wait took, or the delivery's own."""
        before = self._journal.known(name, occurrence - 1)
        if before is None:
            return self._claim.message.id
        return int(json.loads(str(before.outcome))["id"])

    def _check(self, source: str, event: str, key: object, match: object) -> None:
        keeps = self._keeps_bodies.get(validate.name(source, "source"))
        if keeps is None:
            raise InvalidInput(f"the app has no source {source!r}", operation="wait_for")
        if not keeps:
            raise InvalidInput(
                f"source {source!r} drops a body once it is handled, and a wait could miss it:"
                " give it keep_body_for=",
                operation="wait_for",
            )
        if not isinstance(event, str) or not event:
            raise InvalidInput(f"event must be a pattern, not {event!r}", operation="wait_for")
        if key is not None:
            validate.key(key)
        if match is not None:
            of_message(match, "match")


def _body_of(name: str) -> str:
    return f"\0{name}"  # a step's name has no such character
