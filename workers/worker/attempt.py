"""One attempt at a delivery, while its handler runs."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from ...app.context import Context
from ...app.handlers.handler import Handler
from ...store import Claim
from .in_progress import SupervisedLease


@dataclass(slots=True, eq=False)
class Attempt:
    """A handler that is running.

    Attributes:
        interrupt: Raises an error in the handler, if the error is still wanted by then; may be
            called in any thread.
        began: On time.monotonic().
        soft_at: When its soft timeout is over, on time.monotonic().
        warned: It has been told, or will be, that its lease is lost.
        reason: The error that it was interrupted with, where the handler cannot see that.
    """

    claim: Claim
    handler: Handler
    context: Context
    lease: SupervisedLease
    interrupt: Callable[[BaseException, Callable[[], bool]], None]
    began: float = field(init=False)
    soft_at: float = field(init=False)
    warned: bool = False
    reason: BaseException | None = None

    def __post_init__(self) -> None:
        limit = self.handler.soft_timeout
        self.began = time.monotonic()
        self.soft_at = math.inf if limit is None else self.began + limit


def clear_frames(error: BaseException) -> None:
    """Clear the local variables of the handler's frames, which the error keeps alive."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        if (each := left.pop()) is not None and id(each) not in seen:
            seen.add(id(each))
            traceback.clear_frames(each.__traceback__)
            left += [each.__context__, each.__cause__]
