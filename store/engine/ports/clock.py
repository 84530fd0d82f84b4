"""Port: the store's clock and the process's stopwatch, which are never compared."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StoreClock(Protocol):
    """The store's time, and the stopwatch of the machine that this process runs on.

    The store's time is for what is stored and shown: due times, ages, when a lease expires.
    What a process *believes* of its lease it measures on the stopwatch: from before the
    store was asked, for as long as the store said that the lease lasts.
    """

    def now_ms(self) -> int:
        """Return Unix milliseconds on the store's clock; at once, without asking the database.

        An engine whose clock is elsewhere returns its estimate: good enough to show a time
        and to wait for one, never to end a lease.

        Raises: nothing while the engine is open.
        """
        ...

    def wall_ms(self) -> int:
        """Return Unix milliseconds on the wall clock of this machine, which may step.

        For schedules alone: they are about what that clock shows.

        Raises: nothing.
        """
        ...

    def stopwatch_ms(self) -> int:
        """Return milliseconds that only ever go on, also while the machine is suspended.

        The same in all processes of a machine, from its boot to its next (CLOCK_BOOTTIME).

        Raises: nothing.
        """
        ...


class Term(NamedTuple):
    """How long a lease is good for.

    Attributes:
        until_ms: When it ends, on the store's clock: to be shown.
        lasts_ms: How long it lasts from the moment that the store was asked, at the
            least: to be believed.
    """

    until_ms: int
    lasts_ms: int
