"""Dead letters, as an app is told of them."""

from __future__ import annotations

from dataclasses import dataclass

# The queue of calls to an app's on_dead, one for each delivery that has died.
DEATHS = "fencepost.on_dead"


@dataclass(frozen=True, slots=True)
class Death:
    """A delivery that has become a dead letter.

    Attributes:
        message, source, key, event: Of its message; None where that cannot be read.
    """

    delivery: int
    queue: str
    attempt: int
    error: str | None
    message: int | None = None
    source: str | None = None
    key: str | None = None
    event: str | None = None
