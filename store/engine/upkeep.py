"""The contract for upkeep: sweep, audit, probe, backup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..types.probe import ProbeReport, ProbeStep


@dataclass(frozen=True, slots=True)
class Tick:
    """What one round of upkeep did.

    Attributes:
        outcome: "swept", "incomplete" (there is more), "nothing to do" or "failed".
        removed: Rows removed, by kind.
        alarms: What an operator should know and has not been told yet, by this process.
    """

    outcome: str
    removed: Mapping[str, int]
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """What bringing a store to the newest schema took, or would take.

    Attributes:
        found: The version it had.
        reached: The version it has now, or would have.
        steps: The version after each step; empty when there is nothing to do.
    """

    path: str
    found: int
    reached: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that was made from a backup.

    Attributes:
        aside: Where the store is now that was at the path before; None when none was.
        fence: Every fence that the store gives out from now on is greater.
    """

    path: str
    aside: str | None
    fence: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """A copy that has become a store of its own.

    Attributes:
        leases: How many leases were ended.
        fence: Every fence that the store gives out from now on is greater.
    """

    path: str
    leases: int
    fence: int


class UpkeepVerbs(Protocol):
    """What a database does about itself."""

    def ping(self) -> None:
        """Read one row.

        Joins: reads.

        Raises:
            StoreBusy, StoreFailed: This is what keeps the store from answering.
        """
        ...

    def probe(self) -> ProbeReport:
        """Try each thing a store must be able to do; quick at any size.

        Joins: yes.

        Raises: nothing: what fails is a step of the report.
        """
        ...

    def integrity(self) -> ProbeStep:
        """Read the whole store and check it; slow when it is large.

        Joins: reads.

        Raises: nothing: what fails is in the step.
        """
        ...

    def audit(self) -> list[ProbeStep]:
        """Count again what is counted, and check what refers to what; slow when it is large.

        Joins: reads.

        Raises: nothing: what fails is in the steps.
        """
        ...

    def sweep(self) -> dict[str, int]:
        """Remove all that has expired; return how many rows, by kind.

        Joins: no; it takes many short transactions.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown: Some may be removed.
        """
        ...

    def tick(self) -> Tick | None:
        """Do one bounded round; None when another process is the one that does it.

        Joins: no.

        Raises: nothing: what fails is in the answer, and tried again with the next.
        """
        ...

    def backup(self, dest: str) -> str:
        """Copy the store to a new file and return its full path.

        Joins: no.

        Raises:
            Unsupported: The database has a tool of its own for it, which the error names.
            InvalidInput, StoreOpenFailed: Nothing can be put there, or something is there.
            StoreFull, StoreFailed: It failed, and left nothing there.
        """
        ...
