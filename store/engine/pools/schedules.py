"""The contract for schedules: who enqueues their messages, and how far each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...types.messages.draft import Draft
from ...types.schedule import KnownSchedule, Removal, Rule, Standing


class Advanced(NamedTuple):
    """What an advance has found and done.

    Attributes:
        standing: How the schedule is now; None when the store has none of this name.
        accepted: How many of the messages are new; None when another pool had been there, and
            nothing was done.
    """

    standing: Standing | None
    accepted: int | None = None


class ScheduleVerbs(Protocol):
    """What a database does for schedules.

    Planned times are computed by the pools. The row of a schedule makes each a message once:
    whoever comes second finds it changed.
    """

    def declare(self, pool: int, rules: Sequence[Rule], now_ms: int) -> list[Standing]:
        """Have a pool enqueue for these schedules, and for no others; return how far each is.

        One that the store does not know begins at `now_ms`, on the wall clock, and so does one
        that it knows with other times. One that it knows with another rule has this one from
        now on, and is taken from the other pools.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def advance(self, seen: Standing, drafts: Sequence[Draft], last_ms: int) -> Advanced:
        """Enqueue messages of a schedule and move it on to `last_ms`, if it stands as seen.

        Joins: yes.

        Raises:
            QueueFull: There is no room for all of the messages; nothing was changed.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def known(self) -> list[KnownSchedule]:
        """Return all schedules that a pool has ever declared, by name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...

    def remove(self, name: str) -> Removal:
        """Forget a schedule, unless a running pool enqueues for it; its messages stay.

        Joins: yes.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...
