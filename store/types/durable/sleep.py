"""How a delivery sleeps: until when, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .step import StepRecord
from .wait import Wanted


class Sleep(NamedTuple):
    """How an attempt ends whose handler sleeps or waits.

    Attributes:
        at: The name of the step that it sleeps at.
        until_ms: When it wakes, on the store's clock.
        anew: It has come further than in any attempt before: its attempts and crashes are
            counted anew, and the time for which it is tried begins when it wakes. Else this
            attempt does not count.
        records: Added in the same transaction.
        waits: What it waits for, each until its deadline. If one of them has been answered in
            the meantime, or such a message has come, it can be claimed at once.
    """

    at: str
    until_ms: int
    anew: bool
    records: Sequence[StepRecord] = ()
    waits: Sequence[Wanted] = ()
