"""The simulation: a seed is a life, and the world does to the store what it says it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import LeaseLost, QueueFull
from fencepost.store.engine import Hold
from fencepost.store.types.messages.draft import Address, Draft, queue_scope
from fencepost.stress.scenarios import sim
from fencepost.stress.sim.life import Lives
from fencepost.stress.sim.reference import Grant, Reference
from fencepost.stress.sim.verdict import Broken

from .tiny import Tiny


def _draft(key: str, lane: str | None = None) -> Draft:
    address = Address("q", lane=lane)
    return Draft(queue_scope("q"), None, key, "", {}, b"", [address], keep_ms=60_000)


def _reference(lane: str | None = None) -> tuple[Reference, Hold]:
    """Return one with a job that is claimed for a second at 1,000, and one behind it."""
    reference = Reference()
    reference.clock.now = 1_000
    reference.open_queue("q", 2)
    reference.numbers.made([1, 2], [1, 2])
    reference.enqueue([_draft(key, lane) for key in ("a", "b")], got=None)
    granted = _granted(1, fence=5)
    reference.claim("q", 1, 1_000, got=[granted])
    return reference, granted.hold


def _granted(delivery: int, *, fence: int) -> Grant:
    return Grant(delivery, Hold(delivery, fence, "token"), b"", 1, 2_000)


def test_the_same_seed_gives_the_same_life(tmp_path: Path) -> None:
    lives = Lives(tmp_path, 120)
    digests = []
    for seed in (1, 2, 1):
        lives.live(seed)
        digests.append(lives.digest)

    assert digests[0] == digests[2] != digests[1]
    assert lives.findings == []


def test_a_few_lives_find_nothing(tiny: Tiny) -> None:
    size = {**sim.SCENARIO.sizes["canary"], "lives": 3}

    result = tiny(sim.SCENARIO, size)

    assert result.findings == []
    assert result.figures["lives"] == 3
    assert {"crash", "power loss", "pause"} <= result.faults.keys()


def test_a_finding_names_the_seed_that_replays_it(tmp_path: Path, tiny: Tiny) -> None:
    size = {**sim.SCENARIO.sizes["canary"], "lives": 2, "processes": 2}

    result = tiny(sim.SCENARIO, size, canary="fences-reused", seed=70)

    assert result.findings[0].invariant == "fences-rise"
    assert "fencepost stress sim --seed 7" in result.findings[0].what
    assert " --profile nightly --processes 1 --seconds 0.01" in result.findings[0].what
    assert [*tmp_path.glob("seed-7*.txt")]


def test_the_reference_refuses_a_holder_whose_job_another_has_claimed() -> None:
    reference, hold = _reference()
    reference.clock.now = 2_000
    reference.claim("q", 1, 1_000, got=[_granted(1, fence=6)])

    with pytest.raises(LeaseLost):
        reference.ack(hold, got=None)


def test_the_reference_knows_a_holder_that_is_late() -> None:
    reference, hold = _reference()
    reference.clock.now = 9_000

    reference.ack(hold, got=None)

    assert reference.tables.deliveries[1].state == "done"


@pytest.mark.parametrize(
    ("lane", "delivery", "fence", "invariant"),
    [
        (None, 1, 6, "one-holder"),
        (None, 2, 5, "fences-rise"),
        (None, 3, 6, "nothing-unexpected"),
        ("lane", 2, 6, "lane-order"),
    ],
)
def test_the_reference_says_what_is_wrong_with_a_claim(
    lane: str | None, delivery: int, fence: int, invariant: str
) -> None:
    reference, _ = _reference(lane)
    reference.clock.now = 1_500

    with pytest.raises(Broken) as told:
        reference.claim("q", 1, 1_000, got=[_granted(delivery, fence=fence)])

    assert told.value.invariant == invariant


def test_the_reference_has_no_room_over_a_cap() -> None:
    reference, _ = _reference()

    with pytest.raises(QueueFull):
        reference.enqueue([_draft("c")], got=None)


def test_a_fork_of_the_reference_leaves_it_as_it_was() -> None:
    reference, hold = _reference()
    fork = reference.fork()

    fork.ack(hold, got=None)
    fork.reboot()

    assert reference.tables.deliveries[1].state == "leased"
    assert reference.tables.deliveries[1].until_ms == 2_000
