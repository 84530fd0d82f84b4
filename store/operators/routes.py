"""What operators see and change of routes: what none has matched, and what is kept for those off."""

from __future__ import annotations

from collections.abc import Iterable

from ..engine import Engine
from ..naming import verbs
from ..types import validate
from ..types.delivery import Outcome
from ..types.unserved import OffRoute, Unrouted, UnroutedCount
from .messages import BATCH


@verbs
class Routes:
    """The part of a store for its routes."""

    engine: Engine

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
