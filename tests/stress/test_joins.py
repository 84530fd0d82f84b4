"""The scenario of calls with several messages, and what its judge notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost.stress.durable.notes import Note, Notes
from fencepost.stress.joins.calls import UNKNOWN, calls
from fencepost.stress.joins.plan import DEBOUNCED, LOADED, PLAIN, WRITING, due_of, plans
from fencepost.stress.joins.plan import DECLARED as D
from fencepost.stress.scenarios import joins

from .tiny import Tiny

_TINY = {
    "messages": 300,
    "keys": 14,
    "waiting": 200,
    "kills": 1,
    "deaths": 3,
    "stops": 1,
    "reloads": 1,
    "workers": 2,
    "lease": 2,
    "patience": 60,
    "windows": 6,
    "apart": 60,
}


# JOIN-5, JOIN-8, JOIN-13
def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(joins.SCENARIO, _TINY)

    assert result.findings == []
    assert result.faults["pool stopped past its leases"] == 1
    assert result.checked["joined-once"] > 300
    assert result.checked["window-kept"] >= 6
    assert result.checked["stale-refused"] == 1
    assert result.figures["messages_a_call"] > 2


@pytest.mark.parametrize(
    ("canary", "trips"), [("greedy-group", "joined-once"), ("beyond-most", "joined-as-declared")]
)
def test_what_breaks_a_promise_of_joining_is_noticed(tiny: Tiny, canary: str, trips: str) -> None:
    quick = {**_TINY, "kills": 0, "deaths": 0, "reloads": 0, "windows": 2}

    result = tiny(joins.SCENARIO, quick, canary=canary)

    assert trips in {finding.invariant for finding in result.findings}


def test_of_many_messages_each_kind_of_handler_has_some_and_each_fault_is_planned() -> None:
    import random

    found = plans(random.Random(1), 2000, 21, kills=20, stops=3)

    assert {queue for queue, _ in found} == set(LOADED)
    assert sum(bool(plan.kill) for _, plan in found) in range(15, 21)
    assert {plan.stop for queue, plan in found if queue == WRITING} == {1, 2, 3}
    assert any(plan.poison for _, plan in found)
    assert {plan.fails for _, plan in found} == {0, 1, 2, 100}
    assert len({plan.key for _, plan in found}) == 21 + 1  # and none


def test_a_window_ends_by_itself_or_when_the_call_is_full() -> None:
    most = D[PLAIN].most

    assert due_of(D[PLAIN], [1000]) == 1060
    assert due_of(D[PLAIN], [1000, 1030]) == 1060
    assert due_of(D[PLAIN], [1000] * (most - 1) + [1040]) == 1040
    assert due_of(D[PLAIN], [1000] * (most - 1) + [1070]) == 1060


def test_with_debounce_a_window_begins_anew_up_to_its_bound() -> None:
    assert due_of(D[DEBOUNCED], [1000, 1030]) == 1070
    assert due_of(D[DEBOUNCED], [1000, 1030, 1080]) == 1070
    assert due_of(D[DEBOUNCED], list(range(1000, 1400, 39))) == 1400


def test_a_call_is_hit_if_its_end_may_not_be_stored(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    for fence in range(1, 6):
        notes.write(Note("call", 10 * fence, fence, fence, "k", f"[[{fence}], [{fence}], [1]]"))
        if fence < 5:
            notes.write(Note("ended", 10 * fence + 5, fence, fence, "done", "[]"))
    notes.write(Note("killed", 60))
    notes.close()

    found = calls(tmp_path)

    assert [call.hit for call in found.calls] == [False, False, True, True, True]
    assert [call.ended for call in found.calls] == ["done"] * 4 + [UNKNOWN]
    assert found.hits == 1
