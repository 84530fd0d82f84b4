"""What came of a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..store.types.message import State


@dataclass(frozen=True, slots=True)
class Result:
    """One delivery after its attempts.

    Attributes:
        queue: The handler's name.
        state: "done"; "ready" when it is to be tried again; "dead".
        attempt: How many attempts there were.
        error: What is kept with the delivery, as `fencepost messages list` shows it.
        result: What the handler returned, as it is kept: None when that is not JSON.
        exception: What the last attempt raised.
        retry_after: Seconds until the next attempt, None when there will be none.
    """

    queue: str
    state: State
    attempt: int
    error: str | None = None
    result: Any = None
    exception: BaseException | None = field(default=None, compare=False)
    retry_after: float | None = None
