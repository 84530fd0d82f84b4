"""What the store must answer, in plain dicts. It shares no code with the store.

A verb is given what the store answered, because fences, tokens and numbers are for the
store to choose; None when nobody knows what it answered. It returns what the answer has to
be, or raises Refused when the store has to refuse.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .keyed import Spaces
from .leases import Names
from .once import Keys
from .queues import Queues
from .verdict import Fences


@dataclass
class Model:
    """A store as it has to be."""

    fences: Fences = field(default_factory=Fences)
    queues: Queues = field(init=False)
    leases: Names = field(init=False)
    once: Keys = field(init=False)
    keyed: Spaces = field(default_factory=Spaces)

    def __post_init__(self) -> None:
        self.queues = Queues(self.fences)
        self.leases = Names(self.fences)
        self.once = Keys(self.fences)

    def reboot(self) -> None:
        """End all leases."""
        self.queues.reboot()
        self.leases.reboot()
        self.once.reboot()

    def moments(self) -> list[int]:
        """Return when something changes by itself."""
        return [*self.queues.moments(), *self.leases.moments(), *self.once.moments()]
