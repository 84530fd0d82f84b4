"""The result of a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..store.types.messages.state import State


@dataclass(frozen=True, slots=True)
class Result:
    """One delivery after its attempts.

    Attributes:
        queue: The handler's name.
        state: "done"; "ready" if it will be retried; or "dead".
        attempt: The number of attempts so far.
        error: The error stored with the delivery, as `fencepost messages list` shows it.
        result: What the handler returned, as stored: None if it is not JSON.
        exception: The exception that the last attempt raised.
        retry_after: Seconds until the next attempt; None if there is none.
    """

    queue: str
    state: State
    attempt: int
    error: str | None = None
    result: Any = None
    exception: BaseException | None = field(default=None, compare=False)
    retry_after: float | None = None
