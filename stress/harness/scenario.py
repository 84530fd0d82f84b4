"""What a scenario is: a way to stress the store, and how much of it each profile runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Run

PROFILES = ("ci", "nightly", "release")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to stress the store.

    Attributes:
        about: What it does, in one line.
        run: Called in a process of its own. It reports to the Run what it found.
        sizes: For each profile, counts and seconds by name. `seconds` and `processes` are
            what the command line's options replace. Of a canary's run they are "canary".
        alone: It measures waits, so nothing else runs beside it.
    """

    name: str
    about: str
    run: Callable[[Run], None]
    sizes: Mapping[str, Mapping[str, float]]
    alone: bool = False
