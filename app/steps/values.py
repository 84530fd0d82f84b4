"""The time and random values, equal in every attempt."""

from __future__ import annotations

import hmac

from ...store import Claim
from ...store.engine import Engine
from .journal import Journal


class Values:
    """What one attempt has asked for."""

    def __init__(self, claim: Claim, engine: Engine, journal: Journal) -> None:
        self._claim = claim
        self._engine = engine
        self._journal = journal
        self._drawn = 0

    def now(self) -> float:
        """Return Unix seconds, recorded with the next step."""
        occurrence, found = self._journal.ask("", ("now",))
        if found is None:
            now_ms = self._engine.clock.now_ms()
            found = self._journal.new("", occurrence, "now", str(now_ms))
            self._journal.later(found)
        assert isinstance(found.outcome, str)
        return int(found.outcome) / 1000

    def draw(self) -> bytes:
        """Return 32 bytes that are equal in every attempt; nothing is recorded."""
        self._drawn += 1
        what = f"{self._claim.id}/{self._claim.generation}/{self._drawn}".encode()
        return hmac.digest(self._engine.durable.steps.seed(), what, "sha256")
