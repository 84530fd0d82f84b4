"""What an attempt sleeps at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ....store.types.durable.step import StepRecord
from ....store.types.durable.wait import Wanted
from ..errors import Suspended


@dataclass(slots=True)
class Suspension:
    """Where the attempt of a handler ends; several steps of a `ctx.gather` may sleep.

    Attributes:
        raised: What the handler gets.
        at: The step that wakes first.
        until_ms: When that is, on the store's clock.
        anew: One of them has come further than any attempt before.
        records: To be written when the delivery is put to sleep.
        waits: What it waits for, each until its deadline.
    """

    raised: Suspended
    at: str = ""
    until_ms: float = math.inf
    anew: bool = False
    records: list[StepRecord] = field(default_factory=list)
    waits: list[Wanted] = field(default_factory=list)

    def add(self, at: str, until_ms: int, record: StepRecord | None) -> None:
        """Sleep at one more step: the first to wake counts."""
        if until_ms < self.until_ms:
            self.at, self.until_ms = at, until_ms
        if record is not None:
            self.anew = True
            self.records.append(record)
