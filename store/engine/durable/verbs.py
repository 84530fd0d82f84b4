"""The contract for what handlers remember."""

from __future__ import annotations

from typing import Protocol

from .ends import EndVerbs
from .joins import JoinVerbs
from .steps import StepVerbs
from .waits import WaitVerbs


class DurableVerbs(Protocol):
    """What a database does for handlers that remember."""

    @property
    def steps(self) -> StepVerbs:
        """What a handler has done already."""
        ...

    @property
    def waits(self) -> WaitVerbs:
        """What it waits for."""
        ...

    @property
    def joins(self) -> JoinVerbs:
        """Deliveries that are handed over together."""
        ...

    @property
    def ends(self) -> EndVerbs:
        """Who waits for messages to end."""
        ...

    def counters(self) -> dict[str, int]:
        """Return what handlers have counted: the sums by name.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed.
        """
        ...
