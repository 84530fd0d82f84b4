"""Faults in the product that a run plants, to see that an invariant notices them.

A fault replaces a piece of the product by a wrong one, in processes of the harness only: the
product has no switch for it. Each stands once, in `faults` or in an engine's folder of that
name. A canary is a fault in a scenario, and the invariants that must notice it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from .. import engines


@dataclass(frozen=True, slots=True)
class Fault:
    """A planted fault.

    Attributes:
        about: What is wrong, in one line.
        plant: Called once in every process of a run.
    """

    name: str
    about: str
    plant: Callable[[], None]


def fault(about: str) -> Callable[[Callable[[], None]], Fault]:
    """Make a fault of the function that plants it, named like the function."""
    return lambda plant: Fault(plant.__name__.replace("_", "-"), about, plant)


@cache
def faults() -> dict[str, Fault]:
    """Return all faults by name."""
    return engines.found("faults", Fault)


def plant(name: str) -> None:
    """Plant a fault in this process, until it ends."""
    faults()[name].plant()
