"""What operators see and change of queues: pause, resume, limit, and what nobody serves."""

from __future__ import annotations

from typing import Literal, overload

from msgspec import UNSET

from ..engine import Engine
from ..naming import verbs
from ..types import validate
from ..types.durable.wait import Answered
from ..types.unserved import Conflicts, Unserved
from ..waiting.answers import resume


@verbs
class Queues:
    """The part of a store for its queues."""

    engine: Engine

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
