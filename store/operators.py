"""What operators see of deliveries, and change by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from .engine import Engine
from .errors import InvalidInput
from .naming import verbs
from .types import validate
from .types.delivery import Content, Delivery, Moved, Outcome, Stored
from .types.filter import Filter
from .types.unserved import Conflicts, Unrouted, UnroutedCount, Unserved

Moment = float | datetime | timedelta

# One transaction for so many, so that nobody waits long for the lock.
BATCH = 500


@verbs
class Operators:
    """The part of a store that operators use.

    Attributes:
        engine: The database behind it, for the receiver and the workers.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def deliveries(
        self,
        *,
        state: str | None = None,
        queue: str | None = None,
        source: str | None = None,
        key: str | None = None,
        event: str | None = None,
        error: str | None = None,
        since: Moment | None = None,
        message: int | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Delivery]:
        """List at most `limit` deliveries, newest first.

        A message, a key, a queue, every state but "done" and a time are found by an index. A
        source, an event and an error are looked for one by one, in what the others leave.

        Args:
            state: Also "scheduled": ready, but not before a time; "ready" has them in it.
            event: A shell pattern, as in `App.on`.
            error: A part of it, whatever its case.
            since: Received since then: Unix seconds, a datetime, or a timedelta for so long
                ago.
            message: The id of their message.
            before: Only those with a smaller id: the next page.
        """
        wanted = self._filter(
            state=state,
            queue=queue,
            source=source,
            key=key,
            event=event,
            error=error,
            since=since,
            message=message,
        )
        if before is not None:
            validate.id(before)
        return self.engine.deliveries(wanted, validate.count(limit, "limit"), before)

    def each_delivery(
        self,
        *,
        state: str | None = None,
        queue: str | None = None,
        source: str | None = None,
        key: str | None = None,
        event: str | None = None,
        error: str | None = None,
        since: Moment | None = None,
        message: int | None = None,
    ) -> Iterator[Delivery]:
        """Go through all deliveries that `deliveries` would list, queue by queue."""
        wanted = self._filter(
            state=state,
            queue=queue,
            source=source,
            key=key,
            event=event,
            error=error,
            since=since,
            message=message,
        )
        return self._each(wanted)

    def _each(self, wanted: Filter) -> Iterator[Delivery]:
        for name in [wanted.queue] if wanted.queue else self.engine.stats():
            before = None
            while found := self.engine.deliveries(wanted.of(name), BATCH, before):
                yield from found
                before = found[-1].id

    def message(self, id: int) -> Stored | None:
        """Return one message by its id, None when there is none."""
        return self.engine.message(validate.id(id))

    def delivery(self, id: int) -> Delivery | None:
        """Return one delivery by its id, None when there is none."""
        return self.engine.delivery(validate.id(id))

    def content(self, id: int) -> Content | None:
        """Return the headers, body and result of a delivery, None when there is none."""
        return self.engine.content(validate.id(id))

    def replay(self, id: int) -> Outcome:
        """Have a delivery handled again.

        A dead or cancelled one is ready again, its attempts counted anew; a worker that
        still believes to hold it is refused. Of one that is done a copy is made, while its
        body is kept (`keep_body_for`): a new message with one delivery to the same queue.

        Raises:
            OutcomeUnknown: Look before you call it again: a copy may have been made.
        """
        return self.replay_many([id])[0]

    def replay_many(self, ids: Iterable[int]) -> list[Outcome]:
        """Replay deliveries in one transaction; outcomes in their order."""
        return self.engine.replay([validate.id(id) for id in validate.each(ids, "ids")])

    def cancel(self, id: int) -> Outcome:
        """End a delivery that nobody holds, or give up a dead one for good.

        A lane that was parked behind it goes on. A lease past its expiry does not count,
        and its holder is refused from then on.
        """
        return self.cancel_many([id])[0]

    def cancel_many(self, ids: Iterable[int]) -> list[Outcome]:
        """Cancel deliveries in one transaction; outcomes in their order."""
        return self.engine.cancel([validate.id(id) for id in validate.each(ids, "ids")])

    def move_many(self, ids: Iterable[int], target_queue: str) -> list[Outcome]:
        """Give ready, scheduled and dead deliveries to another queue; outcomes in their order.

        Of a lane give the oldest first. Their idempotency keys stay the same, and the key of
        a job that was enqueued without a source is from now on unique in the new queue. What
        is leased is left, and so is a message that has a delivery there. Caps do not count.
        """
        queue = validate.name(target_queue, "target_queue")
        return self.engine.move([validate.id(id) for id in validate.each(ids, "ids")], queue)

    def move(
        self,
        source_queue: str,
        target_queue: str,
        *,
        state: str | None = None,
        source: str | None = None,
        key: str | None = None,
        event: str | None = None,
        error: str | None = None,
        since: Moment | None = None,
    ) -> Moved:
        """Give what waits in a queue, and its dead letters, to another queue.

        In transactions of some hundreds, oldest first; called again it goes on where it was
        ended. See `move_many` for what goes along, and `deliveries` for the conditions.
        """
        if validate.name(source_queue, "source_queue") == target_queue:
            raise InvalidInput(f"the deliveries of {target_queue} are in {target_queue} already")
        states = ("ready", "leased", "dead") if state is None else (state,)
        ids = sorted(
            found.id
            for each in states
            for found in self.each_delivery(
                state=each,
                queue=source_queue,
                source=source,
                key=key,
                event=event,
                error=error,
                since=since,
            )
        )
        kinds: list[str] = []
        for start in range(0, len(ids), BATCH):
            outcomes = self.move_many(ids[start : start + BATCH], target_queue)
            kinds += [outcome.kind for outcome in outcomes]
        return Moved(*(kinds.count(kind) for kind in ("moved", "claimed", "present")))

    def unrouted(
        self,
        *,
        source: str | None = None,
        event: str | None = None,
        key: str | None = None,
        since: float | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Unrouted]:
        """List at most `limit` messages that no route has matched, newest first.

        They keep their body until their key is forgotten.

        Args:
            since: Unix seconds on the store's clock: received then or later.
            before: A message's id, for the next page.
        """
        return self.engine.routing.unrouted(
            source=source,
            event=event,
            key=key,
            since_ms=None if since is None else validate.milliseconds(since, "since"),
            limit=validate.count(limit, "limit"),
            before=None if before is None else validate.id(before),
        )

    def unrouted_counts(self) -> list[UnroutedCount]:
        """Count the messages that no route has matched, by source and event."""
        return self.engine.routing.unrouted_counts()

    def replay_unrouted(self, ids: Iterable[int]) -> list[Outcome]:
        """Have messages routed again, in one transaction; outcomes in the order of the ids.

        A worker of a pool whose app declares the source does it, at once or when one starts.
        """
        given = [validate.id(id) for id in validate.each(ids, "ids")]
        return self.engine.routing.replay_unrouted(given)

    def unserved(self) -> list[Unserved]:
        """List the queues that hold work and that no running pool serves, by name.

        A pool serves the queues that it was started for. What claims without a pool is not
        known here.
        """
        return self.engine.routing.unserved()

    def conflicts(self) -> list[Conflicts]:
        """List the sources that have sent a known key with another body, by name."""
        return self.engine.routing.conflicts()

    def pause(self, queue: str) -> bool:
        """Stop claiming from a queue until it is resumed; handlers that run finish.

        Returns False when the queue did not exist; it is then created as paused.
        """
        return self.engine.pause(validate.name(queue, "queue"), True)

    def resume(self, queue: str) -> bool:
        """Claim from a paused queue again; False when the queue does not exist."""
        return self.engine.pause(validate.name(queue, "queue"), False)

    def limit(self, queue: str, most: int | None) -> bool:
        """Have at most so many deliveries of a queue leased, whatever max_leased it is given.

        None: as max_leased says again. Returns False when the queue did not exist; it is
        then created with this limit.
        """
        if most is not None:
            validate.cap(most, "most")
        return self.engine.limit(validate.name(queue, "queue"), most)

    def _filter(self, **given: object) -> Filter:
        return Filter.checked(now_ms=self.engine.now_ms(), **given)
