"""Port: which pools and workers are alive, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Gone(NamedTuple):
    """Pools and workers that are not alive any more, by their ids.

    An id is never given out again, so what is gone stays gone.

    Attributes:
        pools, workers: With the evidence, in words: "its process has ended".
    """

    pools: Mapping[int, str]
    workers: Mapping[int, str]


class Liveness(Protocol):
    """Who is alive.

    Taking one for dead that lives costs a second run of what it had, never a second effect:
    the fence decides. Taking one for alive that is dead costs waiting for its leases to end.
    """

    @property
    def beat_seconds(self) -> float | None:
        """How often `beat` has to be called; None where the kernel knows without it."""
        ...

    def beat(self, pool: int, workers: Sequence[int]) -> None:
        """Say that a pool and these workers of its are alive, from the process that knows.

        Joins: no.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Say it again soon.
        """
        ...

    def gone(self) -> Gone:
        """Return who is registered and not alive.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed: Nothing is known of anybody now.
        """
        ...
