"""No invariant without a planted fault that it has to catch, no fault that is planted nowhere."""

from __future__ import annotations

from fencepost.stress.discovery import INVARIANTS, SCENARIOS
from fencepost.stress.harness.faults import faults
from fencepost.stress.harness.scenario import PROFILES, canaries

CANARIES = [canary for scenario in SCENARIOS.values() for canary in canaries(scenario)]


def test_every_invariant_has_a_canary() -> None:
    # That a seed repeats itself is a promise of the harness, not of the product.
    assert {name for canary in CANARIES for name in canary.trips} == set(INVARIANTS) - {
        "reproducible",
        "runs-through",
    }


def test_every_fault_is_planted_in_a_scenario_and_no_canary_has_the_name_of_another() -> None:
    assert {canary.fault.name for canary in CANARIES} == set(faults())
    assert len({canary.name for canary in CANARIES}) == len(CANARIES)


def test_every_scenario_has_canaries_and_sizes_for_all_profiles() -> None:
    for scenario in SCENARIOS.values():
        assert canaries(scenario)
        assert set(scenario.sizes) == {"canary", "ci", "nightly"}
        assert scenario.sizes["canary"].keys() == scenario.sizes["ci"].keys()
        assert all(
            scenario.size(profile).keys() == scenario.sizes["ci"].keys() for profile in PROFILES
        )


def test_the_profile_release_takes_ten_times_as_much_as_nightly_of_what_grows() -> None:
    for scenario in SCENARIOS.values():
        nightly, release = scenario.size("nightly"), scenario.size("release")

        grown = {name for name, value in release.items() if value == 10 * nightly[name] > 0}
        assert grown >= {name for name in scenario.grows if nightly[name]}
        assert any(scenario.grows)
        assert {name for name in release if release[name] != nightly[name]} <= set(scenario.grows)


def test_every_scenario_is_found_under_the_name_of_its_file() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.run.__module__.rpartition(".")[2] == name
