"""What has become of a message that somebody waits for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

if TYPE_CHECKING:
    from ..messages.receipt import Receipt

EndState = Literal["done", "dead", "cancelled", "forgotten"]


class Ended(Struct, frozen=True, gc=False):
    """How a message has ended, from `Receipt.wait`.

    Attributes:
        state: "done", "dead" or "cancelled". A message with several deliveries has ended when
            all of them have: it is dead if one of them is, else cancelled if one is, else done.
            One that is kept for a route that is off has not ended; discarded, it is cancelled.
            "forgotten": it is not stored any more, as after a `keep_for` of a moment.
        result: What the handler returned, if it is done; of several handlers what the one
            returned whose route comes first.
        error: Why it is dead, if it is.
    """

    state: EndState
    result: Any = None
    error: str | None = None


class Asked(NamedTuple):
    """Whose end is asked for.

    Attributes:
        queue: Of this delivery alone, by the queue that it was first put in; None: of all.
    """

    message: int
    queue: str | None = None


class Waits(Protocol):
    """Those of this process who wait for messages to end."""

    def wait(self, message: int, timeout: float | timedelta | None) -> Ended:
        """Return once the message has ended.

        Raises:
            TimeoutError: It has not within the timeout.
        """
        ...

    async def done(self, message: int) -> Ended:
        """Return once the message has ended."""
        ...


def can_wait(receipts: list[Receipt], waits: Waits) -> list[Receipt]:
    """Let the caller wait for these."""
    for receipt in receipts:
        force_setattr(receipt, "_waits", waits)
    return receipts
