"""A message that was joined with others: its plan, its calls and what became of it."""

from __future__ import annotations

from typing import NamedTuple

from ..records.census import Delivery
from .calls import Noted
from .plan import Plan


class Seen(NamedTuple):
    """A delivery, with what was planned for it and the calls that it was claimed for."""

    delivery: Delivery
    plan: Plan
    calls: list[Noted]

    @property
    def own_failures(self) -> int:
        """How often it has failed by itself before its last call, as the calls say."""
        id = self.delivery.id
        return sum(id in call.failed or call.given == [id] for call in self.calls[:-1])

    @property
    def unseen(self) -> int:
        """Attempts of which no call is known: their workers were killed before they noted it."""
        return max(0, self.delivery.attempt - self.own_failures - 1)
