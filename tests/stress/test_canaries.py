"""No invariant without a planted fault that it has to catch, no scenario without a profile."""

from __future__ import annotations

from fencepost.stress.canaries import CANARIES
from fencepost.stress.harness.scenario import PROFILES
from fencepost.stress.records.invariants import INVARIANTS
from fencepost.stress.scenarios import SCENARIOS


def test_every_invariant_has_a_canary() -> None:
    # That a seed repeats itself is a promise of the harness, not of the product.
    assert {canary.trips for canary in CANARIES.values()} == set(INVARIANTS) - {
        "reproducible",
        "runs-through",
    }


def test_every_scenario_has_canaries_and_sizes_for_all_profiles() -> None:
    assert {canary.scenario for canary in CANARIES.values()} == set(SCENARIOS)
    for scenario in SCENARIOS.values():
        assert set(scenario.sizes) == {"canary", *PROFILES}
        assert scenario.sizes["canary"].keys() == scenario.sizes["ci"].keys()
