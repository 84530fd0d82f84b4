"""What a scenario is: a way to stress the store, what it must catch, and its sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .faults import Fault, faults

if TYPE_CHECKING:
    from .run import Run

PROFILES = ("ci", "nightly", "release")
_RELEASE = 10


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to stress the store.

    Attributes:
        about: What it does, in one line.
        run: Called in a process of its own. It reports to the Run what it found.
        sizes: Counts and seconds by name, for the profiles ci and nightly and for "canary".
            `seconds` and `processes` are what the command line's options replace.
        grows: Which of these the profile release has ten times as many of as nightly.
        canaries: The invariants that must notice a fault, by the name of the fault.
        invariants: What only this scenario checks, by name, in words.
        alone: It measures waits, so nothing else runs beside it.
    """

    name: str
    about: str
    run: Callable[[Run], None]
    sizes: Mapping[str, Mapping[str, float]]
    canaries: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    invariants: Mapping[str, str] = field(default_factory=dict)
    grows: tuple[str, ...] = ()
    alone: bool = False

    def size(self, profile: str) -> Mapping[str, float]:
        """Return the counts and seconds of a profile, or of "canary"."""
        if profile != "release":
            return self.sizes[profile]
        nightly = self.sizes["nightly"]
        return {name: n * (_RELEASE if name in self.grows else 1) for name, n in nightly.items()}


def sizes(names: str, **rows: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """Return sizes of many names: these, and their numbers by profile."""
    return {profile: dict(zip(names.split(), row, strict=True)) for profile, row in rows.items()}


@dataclass(frozen=True, slots=True)
class Canary:
    """A fault in a run of a scenario.

    Attributes:
        trips: The invariants that must notice it.
    """

    scenario: Scenario
    fault: Fault
    trips: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.scenario.name}/{self.fault.name}"


def canaries(scenario: Scenario) -> list[Canary]:
    """Return the canaries of a scenario."""
    return [
        Canary(scenario, faults()[name], (trips,) if isinstance(trips, str) else trips)
        for name, trips in scenario.canaries.items()
    ]
