"""The scenario of durable handlers, and what its judge notices."""

from __future__ import annotations

from pathlib import Path

from fencepost.stress.durable.notes import Note, Notes, read
from fencepost.stress.durable.plan import BOUNDARIES, plans, steps_of
from fencepost.stress.scenarios import steps

from .tiny import Tiny

_TINY = {
    "handlers": 14,
    "window": 14,
    "kills": 1,
    "stops": 1,
    "reloads": 1,
    "workers": 2,
    "lease": 2,
    "patience": 60,
}


# STEP-30
def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(steps.SCENARIO, _TINY)

    assert result.findings == []
    assert result.faults["pool stopped past its leases"] == 1
    assert result.faults["killed at a boundary"] >= 2
    assert result.checked["no-step-skipped"] >= 12
    assert result.checked["stale-refused"] > 100


def test_a_record_of_a_worker_that_has_lost_its_claim_is_noticed(tiny: Tiny) -> None:
    result = tiny(steps.SCENARIO, {**_TINY, "handlers": 2, "kills": 0}, canary="unfenced-record")

    assert "stale-refused" in {finding.invariant for finding in result.findings}


def test_of_enough_messages_every_boundary_is_that_of_one() -> None:
    import random

    found = plans(random.Random(1), 150, stops=2)

    assert {plan.kill for _, plan in found if plan.kill} == set(BOUNDARIES)
    assert sum(plan.stop for _, plan in found) == 2
    assert {queue for queue, _ in found} == {"plain", "coroutine", "brief", "napping", "changed"}
    for queue, plan in found:
        assert not set(plan.order) - {*steps_of(queue), "gather"}


def test_a_note_that_was_cut_off_with_its_process_is_left_out(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.write(Note("try", 5, 1, 7))
    notes.close()
    (path,) = (tmp_path / "notes").iterdir()
    with path.open("ab") as file:
        file.write(b'{"what":"eff')

    assert [(note.what, note.fence, note.number) for note in read(tmp_path)] == [("try", 7, 0)]
