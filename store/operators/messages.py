"""What operators see and change of messages and deliveries: list, replay, cancel, move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Unpack

from ..engine import Engine
from ..errors import InvalidInput
from ..naming import verbs
from ..types import validate
from ..types.delivery import Content, Delivery, Forget, Moved, Outcome, Stored
from ..types.filter import Conditions, Filter, Wanted

# One transaction for so many, so that nobody waits long for the lock.
BATCH = 500

_MOVABLE = ("ready", "leased", "sleeping", "dead")


@verbs
class Messages:
    """The part of a store for its messages and deliveries.

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
