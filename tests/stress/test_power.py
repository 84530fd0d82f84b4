"""Power losses by script: what is expected of an image, and a short run."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

from fencepost.stress.machine.clocks import WALL, Machine
from fencepost.stress.sqlite.scenarios import power
from fencepost.stress.sqlite.script.script import Script, Step
from fencepost.stress.sqlite.script.state import State, differences, look

from .tiny import Tiny


def _steps(path: Path, seed: int, count: int) -> list[Step]:
    with closing(Script(str(path), random.Random(seed), Machine(WALL), most_claims=3)) as script:
        steps = []
        for _ in range(count):
            steps.append(script.next())
            script.take(steps[-1])
            steps[-1].after = look(script.store)
        return steps


def test_the_same_seed_gives_the_same_script(tmp_path: Path) -> None:
    first, again = (_steps(tmp_path / f"{n}.db", 1, 60) for n in range(2))

    assert [(step.name, step.answer, step.after) for step in first] == [
        (step.name, step.answer, step.after) for step in again
    ]
    assert len({step.name for step in first}) > 12


def test_a_state_may_be_that_before_a_step_or_that_after_it() -> None:
    before, after = {"message m": "leased"}, {"message m": "done", "effect m": 1}

    assert [*differences(before, before, after), *differences(after, before, after)] == []


def test_a_state_is_told_by_what_is_wrong_with_it() -> None:
    before, after = {"message m": "leased"}, {"message m": "done", "effect m": 1}
    wrong: dict[str, State] = {
        "nothing-lost": {},
        "nothing-unexpected": {"message m": "leased", "message n": "ready"},
        "effects-once": {"message m": "leased", "effect m": 1},
    }

    told = {
        name: [told for told, _ in differences(state, before, after)]
        for name, state in wrong.items()
    }

    assert told == {name: [name] for name in wrong}


def test_nothing_is_found_in_a_short_run(tiny: Tiny) -> None:
    size = {"processes": 1, "images": 150, "second": 10, "images_a_point": 2}
    result = tiny(power.SCENARIO, size)

    assert result.findings == []
    assert result.faults == {"power loss": 150, "power loss in recovery": 10}
    assert result.checked["fences-rise"] >= 160
