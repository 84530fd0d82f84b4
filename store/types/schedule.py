"""Schedules, as the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

Missed = Literal["once", "each", "skip"]
MISSED: tuple[Missed, ...] = ("once", "each", "skip")

# What becomes of a schedule that is to be removed: it is, or a pool enqueues for it, or there is none.
Removal = Literal["removed", "running", "unknown"]

# Before a schedule's name: the source of its messages. No declared source has a slash.
SCHEDULES = "schedule/"


class Rule(Struct, frozen=True):
    """When a schedule's messages are due.

    Attributes:
        name: The handler's and its queue's.
        spec: A cron expression of five fields, or "every 300 s".
        timezone: The zone of a cron expression.
        missed: What becomes of missed times; see `App.every`.
    """

    name: str
    spec: str
    timezone: str
    missed: Missed

    @property
    def times(self) -> tuple[str, str]:
        """What says when it comes."""
        return self.spec, self.timezone


class Standing(Struct, frozen=True):
    """How far a schedule is: all planned times up to `last_ms` are dealt with.

    Attributes:
        last_ms: Unix milliseconds on the wall clock, as all planned times are.
    """

    rule: Rule
    last_ms: int


@dataclass(frozen=True, slots=True)
class KnownSchedule:
    """A schedule that a pool has declared.

    Attributes:
        spec: A cron expression of five fields, or "every 300 s".
        missed: "once", "each" or "skip".
        last_at: All planned times up to this one are dealt with; in Unix seconds on the wall
            clock.
        pools: The ids of the running pools that enqueue its messages. Without one, nothing
            comes until a pool declares it again.
        seen_at: Until when a pool did that, at least; in Unix seconds on the store's clock.
    """

    name: str
    spec: str
    timezone: str
    missed: Missed
    last_at: float
    pools: tuple[int, ...]
    seen_at: float
