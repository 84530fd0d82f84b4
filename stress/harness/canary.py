"""A fault that a run plants in itself, to see that an invariant can tell.

It replaces a piece of the product by a wrong one, in processes of the harness only: the
product has no switch for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Canary:
    """A planted fault.

    Attributes:
        about: What is wrong, in one line.
        scenario: Which is run with it, at the sizes that it has for "canary".
        trips: The invariant that has to say so.
        plant: Called once in every process that the scenario starts, and in its own.
    """

    name: str
    about: str
    scenario: str
    trips: str
    plant: Callable[[], None]
