"""One attempt at a delivery, while its handler works."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...app.context import Context
from ...app.handler import Handler
from ...store import Claim
from .in_progress import SupervisedLease


@dataclass(slots=True, eq=False)
class Attempt:
    """What is in work.

    Attributes:
        interrupt: Has an error raised in the handler, if by then it is still wanted; called
            in any thread.
        began: On time.monotonic().
        soft_at: When it is over its soft timeout, on time.monotonic().
        warned: It is to be told, or has been, that its lease is lost.
        reason: What it was interrupted with, where the handler cannot be shown that.
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
