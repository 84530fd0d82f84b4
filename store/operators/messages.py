"""The store's methods for operators: list, replay, cancel, move, pause, limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Unpack, overload

from msgspec import UNSET

from ..engine import Engine
from ..errors import InvalidInput
from ..naming import verbs
from ..types import validate
from ..types.delivery import Content, Delivery, Forget, Moved, Outcome, Stored
from ..types.durable.wait import Answered
from ..types.filter import Conditions, Filter, Wanted
from ..types.unserved import Conflicts, OffRoute, Unrouted, UnroutedCount, Unserved
from ..waiting.answers import resume

# One transaction for so many, so that nobody waits long for the lock.
BATCH = 500

_MOVABLE = ("ready", "leased", "sleeping", "dead")


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
        limit: int = 50,
        before: int | None = None,
        **wanted: Unpack[Wanted],
    ) -> list[Delivery]:
        """List at most `limit` deliveries that meet all conditions, newest first.

        An index finds deliveries by `message`, `key`, `queue`, `since` and every `state`
        except "done". `source`, `event` and `error` are checked row by row in what the other
        conditions leave.

        Args:
            before: Only ids smaller than this one, for the next page.
            **wanted: The conditions. `state` is "ready", "scheduled", "leased", "sleeping", "done",
                "dead" or "cancelled"; "scheduled" are the ready ones that wait for a time, and
                "ready" includes them. `queue`, `source` and `key` are names. `event` is a shell pattern,
                as in `App.on`. `error` is a part of the error text, in any case. `since` is
                the earliest time of receipt: Unix seconds, a datetime with a time zone, or a
                timedelta before now. `message` is the id of their message.
        """
        filter = Filter.checked(now_ms=self.engine.clock.now_ms(), **wanted)
        if before is not None:
            validate.id(before)
        return self.engine.operators.deliveries(filter, validate.count(limit, "limit"), before)

    def each_delivery(self, **wanted: Unpack[Wanted]) -> Iterator[Delivery]:
        """Iterate over all deliveries that meet the conditions of `deliveries`.

        They come queue by queue, the newest of each queue first.
        """
        return self._each(Filter.checked(now_ms=self.engine.clock.now_ms(), **wanted))

    def _each(self, wanted: Filter) -> Iterator[Delivery]:
        for name in [wanted.queue] if wanted.queue else self.engine.operators.stats():
            before = None
            while found := self.engine.operators.deliveries(wanted.of(name), BATCH, before):
                yield from found
                before = found[-1].id

    def message(self, id: int) -> Stored | None:
        """Return the message with this id, None if there is none."""
        return self.engine.operators.message(validate.id(id))

    def delivery(self, id: int) -> Delivery | None:
        """Return the delivery with this id, None if there is none."""
        return self.engine.operators.delivery(validate.id(id))

    def content(self, id: int) -> Content | None:
        """Return the headers, body and result of a delivery, None if there is none."""
        return self.engine.operators.content(validate.id(id))

    def replay(self, id: int, *, from_start: bool = False, from_step: str | None = None) -> Outcome:
        """Run a delivery again.

        A dead or cancelled delivery becomes ready, and its attempts are counted from 1. A
        worker that still runs an earlier attempt is refused when it ends. A delivery that is
        done is copied, if its body is still stored (`keep_body_for`): the copy is a new
        message with one delivery to the same queue.

        The handler goes on after the steps that it has recorded.

        Args:
            from_start: Forget all of them first. Tokens of waits are no longer good, and
                `ctx.step_key`, `ctx.random()` and `ctx.uuid()` give other values.
            from_step: Forget the step of this name, and all that was recorded after it.

        Raises:
            InvalidInput: Both are given.
            OutcomeUnknown: A copy may have been made; look before you call it again.
        """
        return self.replay_many([id], from_start=from_start, from_step=from_step)[0]

    def replay_many(
        self, ids: Iterable[int], *, from_start: bool = False, from_step: str | None = None
    ) -> list[Outcome]:
        """Replay deliveries in one transaction; outcomes in their order. See `replay`."""
        if from_start and from_step is not None:
            raise InvalidInput("give from_start or from_step, not both", operation="replay")
        forget: Forget = True if from_start else from_step
        return self.engine.operators.replay(
            [validate.id(id) for id in validate.each(ids, "ids")], forget=forget
        )

    def cancel(self, id: int) -> Outcome:
        """Cancel a delivery that is ready, scheduled, sleeping or dead.

        If its lane was parked behind it, the lane continues. A leased delivery cannot be
        cancelled, unless its lease has expired; its holder is refused from then on.
        """
        return self.cancel_many([id])[0]

    def cancel_many(self, ids: Iterable[int]) -> list[Outcome]:
        """Cancel deliveries in one transaction; outcomes in their order."""
        return self.engine.operators.cancel([validate.id(id) for id in validate.each(ids, "ids")])

    def move_many(self, ids: Iterable[int], target_queue: str) -> list[Outcome]:
        """Move ready, scheduled, sleeping and dead deliveries to another queue; outcomes in their order.

        Give the oldest of a lane first. Idempotency keys stay the same. The dedupe key of a
        job without a source is unique in the new queue from now on. A leased delivery is not
        moved, and neither is one whose message has a delivery in the other queue already.
        The caps of the other queue are not applied.
        """
        queue = validate.name(target_queue, "target_queue")
        return self.engine.operators.move(
            [validate.id(id) for id in validate.each(ids, "ids")], queue
        )

    def move(self, source_queue: str, target_queue: str, **conditions: Unpack[Conditions]) -> Moved:
        """Move the waiting and dead deliveries of a queue to another queue, oldest first.

        It moves 500 per transaction. If it is interrupted, call it again to move the rest.
        `move_many` says what is moved with a delivery, `deliveries` what the conditions mean.
        """
        if validate.name(source_queue, "source_queue") == target_queue:
            raise InvalidInput(f"the deliveries are in {target_queue} already: name another queue")
        asked = conditions.get("state")
        now_ms = self.engine.clock.now_ms()
        filters = [
            Filter.checked(now_ms=now_ms, **{**conditions, "state": state, "queue": source_queue})
            for state in (_MOVABLE if asked is None else (asked,))
        ]
        ids = sorted(found.id for filter in filters for found in self._each(filter))
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

        And those that are kept for routes that are off. Their bodies are kept for as long as
        their keys.

        Args:
            since: Received at this time or later, in Unix seconds on the store's clock.
            before: Only message ids smaller than this one, for the next page.
        """
        return self.engine.operators.routing.unrouted(
            source=source,
            event=event,
            key=key,
            since_ms=None if since is None else validate.milliseconds(since, "since"),
            limit=validate.count(limit, "limit"),
            before=None if before is None else validate.id(before),
        )

    def unrouted_counts(self) -> list[UnroutedCount]:
        """Count the messages that no route has matched, by source and event."""
        return self.engine.operators.routing.unrouted_counts()

    def replay_unrouted(self, ids: Iterable[int]) -> list[Outcome]:
        """Route unrouted messages again; outcomes in the order of the ids.

        This marks the messages, in one transaction. A worker whose app declares their source
        routes them: at once if such a pool is running, otherwise when one starts.
        """
        given = [validate.id(id) for id in validate.each(ids, "ids")]
        return self.engine.operators.routing.replay_unrouted(given)

    def routes_off(self) -> list[OffRoute]:
        """List the routes that are off, or on again with kept messages left, by queue."""
        return self.engine.operators.routes.off()

    def route_off(self, queue: str) -> bool:
        """Keep what sources send to a queue, from this commit on and for every process.

        Returns False if the route is off already. The messages are stored, and no delivery is
        made for this queue. What is in the queue already runs. What is enqueued there without
        a source is not kept.
        """
        return self.engine.operators.routes.turn_off(validate.name(queue, "queue"))

    def route_on(self, queue: str) -> bool:
        """Route what is kept for a queue, oldest first, and then what is new.

        Returns False if the route is not off. The workers of a pool whose app has the
        handler and the source make the deliveries, with the routes that the app has then.
        Until the last one is made, what comes is kept behind the others, so no message
        overtakes another one of its lane.
        """
        return self.engine.operators.routes.turn_on(validate.name(queue, "queue"))

    def discard_kept(self, queue: str) -> int:
        """Give up what is kept for a queue; return how many messages.

        Their keys are remembered. It gives up 500 per transaction; if it is interrupted, call
        it again.
        """
        routes, total = self.engine.operators.routes, 0
        while True:
            count = routes.discard(validate.name(queue, "queue"), BATCH)
            total += count
            if count < BATCH:
                return total

    def unserved(self) -> list[Unserved]:
        """List the queues with work that no running pool was started for, by name.

        Programs that claim without a pool are not known to the store.
        """
        return self.engine.operators.routing.unserved()

    def conflicts(self) -> list[Conflicts]:
        """List, by name, the sources that have sent a known key with another body."""
        return self.engine.operators.routing.conflicts()

    def keys_of(self, source: str) -> int:
        """Count the keys of a source that are kept; slow if there are many."""
        return self.engine.operators.routing.keys_of(source)

    def pause(self, queue: str) -> bool:
        """Stop claiming from a queue until it is resumed; handlers that run finish.

        Returns False when the queue did not exist; it is then created as paused.
        """
        return self.engine.operators.pause(validate.name(queue, "queue"), True)

    @overload
    def resume(self, queue: str, /) -> bool: ...

    @overload
    def resume(self, token: str, value: object, /) -> Answered | Literal["unknown"]: ...

    def resume(self, what: str, value: object = UNSET, /) -> bool | Answered | Literal["unknown"]:
        """Claim from a paused queue again, or, with a value, answer a handler that waits.

        Of a queue: False when it does not exist. Of a token, the last part of the URL that
        `ctx.wait_url` returns: "accepted"; "duplicate" if that was the answer already;
        "conflict" if there is another one; "gone" after the deadline and the end of the
        delivery; "unknown" if the token is none of this store's.

        Raises:
            InvalidInput: The value is not JSON.
            LimitExceeded: It is over 64 KiB.
        """
        if value is not UNSET:
            return resume(self.engine, what, value)
        return self.engine.operators.pause(validate.name(what, "queue"), False)

    def limit(self, queue: str, most: int | None) -> bool:
        """Limit how many deliveries of a queue may be leased at the same time.

        The limit overrides the queue's max_leased; None removes it. Returns False if the
        queue did not exist; it is then created with this limit.
        """
        if most is not None:
            validate.cap(most, "most")
        return self.engine.operators.limit(validate.name(queue, "queue"), most)
