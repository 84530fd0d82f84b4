"""Finds all scenarios, and the invariants that they check."""

from __future__ import annotations

from . import engines
from .harness.scenario import Scenario
from .records.invariants import INVARIANTS as _SHARED

SCENARIOS: dict[str, Scenario] = dict(sorted(engines.found("scenarios", Scenario).items()))

# In words, by name.
INVARIANTS: dict[str, str] = dict(_SHARED)
for _scenario in SCENARIOS.values():
    INVARIANTS |= _scenario.invariants
