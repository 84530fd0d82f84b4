"""Faults in what a handler that joins is given."""

from __future__ import annotations

from msgspec.structs import replace

from ...store import Claim
from ..harness.faults import fault


@fault("with latest_only the oldest is handed over, and the newer ones end with it")
def oldest_handed_over() -> None:
    def take_oldest(self: Claim) -> None:
        if self.joined:
            joined = tuple(each.id for each in self.joined)
            self._hold = replace(self._hold, note=None, joined=joined, latest=True)
            self.joined = ()

    Claim.take_newest = take_oldest  # type: ignore[method-assign]
