"""The simulation: a seed is a life, and the world does to the store what it says it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost.stress.scenarios import sim
from fencepost.stress.sim.life import Lives
from fencepost.stress.sim.model import Model
from fencepost.stress.sim.model.queues import Claimed, Draft, Held
from fencepost.stress.sim.model.verdict import Broken, Refused

from .tiny import Tiny


def _model(lane: str | None = None) -> tuple[Model, Held]:
    """Return a model with a job that is claimed for a second at 1,000, and one behind it."""
    model = Model()
    model.queues.caps["q"] = 2
    drafts = [Draft("q", key, b"", lane, "strict", 0, 0, 60_000, 8) for key in ("a", "b")]
    model.queues.enqueue(drafts, now=1_000, got=[("accepted", 1), ("accepted", 2)])
    model.queues.claim("q", 1, 1_000, now=1_000, got=[_claimed(1, fence=5)])
    held = model.queues.jobs[0].last
    assert held is not None
    return model, held


def _claimed(message: int, *, fence: int) -> Claimed:
    return Claimed(message, message, b"", 1, fence, "token", 2_000)


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


def test_the_model_refuses_a_holder_whose_job_another_has_claimed() -> None:
    model, held = _model()
    model.queues.claim("q", 1, 1_000, now=2_000, got=[_claimed(1, fence=6)])

    with pytest.raises(Refused, match="lease_lost"):
        model.queues.ack(held, now=2_000, got=None)


def test_the_model_knows_a_holder_that_is_late() -> None:
    model, held = _model()

    model.queues.ack(held, now=9_000, got=None)

    assert held.job.state == "done"


@pytest.mark.parametrize(
    ("lane", "message", "fence", "invariant"),
    [
        (None, 1, 6, "one-holder"),
        (None, 2, 5, "fences-rise"),
        (None, 3, 6, "nothing-unexpected"),
        ("lane", 2, 6, "lane-order"),
    ],
)
def test_the_model_says_what_is_wrong_with_a_claim(
    lane: str | None, message: int, fence: int, invariant: str
) -> None:
    model, _ = _model(lane)

    with pytest.raises(Broken) as told:
        model.queues.claim("q", 1, 1_000, now=1_500, got=[_claimed(message, fence=fence)])

    assert told.value.invariant == invariant


def test_the_model_has_no_room_over_a_cap() -> None:
    model, _ = _model()

    with pytest.raises(Refused, match="queue_full"):
        model.queues.enqueue(
            [Draft("q", "c", b"", None, "strict", 0, 0, 60_000, 8)], now=1_000, got=None
        )
