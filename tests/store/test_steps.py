"""The records of steps: written under a claim that holds, kept while the delivery may run."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost import InvalidInput, LeaseLost, Queue, Store
from fencepost.store.types.durable.step import StepRecord
from fencepost.store.types.durable.wait import Place

from ..clock import FakeClock
from .suspended import place, taken_over, wait


def record(number: int, outcome: str | bytes = "1", **others: Any) -> StepRecord:
    """Return a record of a step that has a name of its own."""
    return StepRecord(number, f"step {number}", 1, "call", b"sha", "[]", outcome, 0, None, **others)


# STEP-18
def test_a_later_claim_reads_what_was_recorded_in_order(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    assert not claim.hold.steps
    store.engine.durable.steps.record(
        [(claim.hold, record(1, b"bytes")), (claim.hold, record(2, '"é"'))]
    )
    claim.retry(delay=0)

    (again,) = queue.claim()

    assert again.hold.steps
    found = store.engine.durable.steps.records(again.id)
    assert [(each.number, each.outcome, each.fence) for each in found] == [
        (1, b"bytes", claim.fence),
        (2, '"é"', claim.fence),
    ]


# STEP-14, STEP-19
def test_a_record_of_a_claim_that_was_lost_is_refused(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    stale, holder = taken_over(queue, clock)

    refused, accepted = store.engine.durable.steps.record(
        [(stale.hold, record(1)), (holder.hold, record(1))]
    )

    assert isinstance(refused, LeaseLost)
    assert refused.cause == "superseded"
    assert accepted is None
    assert [each.fence for each in store.engine.durable.steps.records(holder.id)] == [holder.fence]
    assert store.engine.durable.steps.holds(holder.hold)
    assert not store.engine.durable.steps.holds(stale.hold)


# STEP-14
def test_a_record_counts_past_expiry_while_nobody_has_claimed_since(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim(lease=30)
    clock.advance(31)

    assert store.engine.durable.steps.record([(claim.hold, record(1))]) == [None]


# STEP-17
def test_the_same_record_twice_is_one(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()

    for _ in range(2):
        assert store.engine.durable.steps.record([(claim.hold, record(1))]) == [None]

    assert len(store.engine.durable.steps.records(claim.id)) == 1


# STEP-17
def test_another_record_in_the_same_place_is_refused(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    store.engine.durable.steps.record([(claim.hold, record(1))])

    (refused,) = store.engine.durable.steps.record([(claim.hold, record(1, "2"))])

    assert isinstance(refused, LeaseLost)
    assert [each.outcome for each in store.engine.durable.steps.records(claim.id)] == ["1"]


# STEP-22
@pytest.mark.parametrize("end", ["ack", "ack_many", "claim", "cancel", "sweep"])
def test_records_go_with_the_delivery(
    queue: Queue, store: Store, clock: FakeClock, end: str
) -> None:
    queue.enqueue(b"work", key="k", keep_for=60)
    (claim,) = queue.claim()
    claim.note_steps()
    store.engine.durable.steps.record([(claim.hold, record(1))])

    if end == "ack":
        claim.ack()
    elif end == "ack_many":
        queue.ack_many([claim])
    elif end == "claim":
        store.engine.queue.claim([queue.name], limit=1, lease_ms=1000, acks=[(claim.hold, None)])
    elif end == "cancel":
        claim.release()
        store.cancel(claim.id)
    else:
        claim.bury("no")
        assert store.engine.durable.steps.records(claim.id)  # it may be replayed
        clock.advance(61)
        store.sweep()

    assert store.engine.durable.steps.records(claim.id) == []


# STEP-22
def test_a_later_attempt_that_records_nothing_still_deletes_them(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    store.engine.durable.steps.record([(claim.hold, record(1))])
    claim.release()

    (again,) = queue.claim()
    again.ack()

    assert store.engine.durable.steps.records(again.id) == []


# STEP-22
def test_records_of_a_dead_letter_are_there_after_a_replay(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    store.engine.durable.steps.record([(claim.hold, record(1))])
    claim.bury("no")

    store.replay(claim.id)
    (again,) = queue.claim()

    assert [each.name for each in store.engine.durable.steps.records(again.id)] == ["step 1"]


# STEP-20
def test_the_seed_is_the_stores_own_and_stays(store: Store, kit: Any) -> None:
    with kit.open() as again, kit.elsewhere().open() as other:
        assert len(store.engine.durable.steps.seed()) == 32
        assert again.engine.durable.steps.seed() == store.engine.durable.steps.seed()
        assert other.engine.durable.steps.seed() != store.engine.durable.steps.seed()


# STEP-16
@pytest.mark.sql("the step's writes are in tables of the caller's")
def test_a_steps_writes_and_its_record_are_one_commit(queue: Queue, store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("create table made (n integer)")
    queue.enqueue(b"work")
    (claim,) = queue.claim()

    with (
        pytest.raises(ZeroDivisionError),
        store.engine.durable.steps.transaction(claim.hold) as step,
    ):
        step.tx.execute("insert into made values (1)")
        step.record(record(1))
        raise ZeroDivisionError

    assert store.read("select * from made") == []
    assert store.engine.durable.steps.records(claim.id) == []
    with store.engine.durable.steps.transaction(claim.hold) as step:
        step.tx.execute("insert into made values (2)")
        step.record(record(1))
    assert [tuple(row) for row in store.read("select * from made")] == [(2,)]
    assert len(store.engine.durable.steps.records(claim.id)) == 1


# STEP-16
def test_a_record_is_rolled_back_with_its_transaction(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    steps = store.engine.durable.steps

    with pytest.raises(ZeroDivisionError), steps.transaction(claim.hold) as step:
        step.record(record(1))
        raise ZeroDivisionError

    assert steps.records(claim.id) == []


# STEP-16
def test_a_step_in_a_transaction_is_refused_before_it_runs(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    stale, _ = taken_over(queue, clock)

    with pytest.raises(LeaseLost), store.engine.durable.steps.transaction(stale.hold):
        pytest.fail("it ran")


def _dead(queue: Queue, store: Store, clock: FakeClock) -> Any:
    """Return the claim of a delivery that died with three records, a timeout and an answer."""
    queue.enqueue(b"work", key="k")
    (claim,) = queue.claim()
    claim.note_steps()
    steps, waits = store.engine.durable.steps, store.engine.durable.waits
    steps.record([(claim.hold, record(1))])
    clock.advance(1)
    steps.record([(claim.hold, record(2))])
    wait(store, claim, 1, at="silence")
    clock.advance(1)
    (claim,) = queue.claim()
    clock.advance(1)
    waits.answer(place(claim), "true")
    clock.advance(1)
    steps.record([(claim.hold, record(3))])
    claim.bury("no")
    return claim


# STEP-23
@pytest.mark.parametrize(
    ("given", "left", "waited"),
    [
        ({}, [1, 2, 3], ["silence", "approval"]),
        ({"from_start": True}, [], []),
        ({"from_step": "step 1"}, [], []),
        ({"from_step": "step 2"}, [1], []),
        ({"from_step": "silence"}, [1, 2], []),
        ({"from_step": "approval"}, [1, 2], ["silence"]),
        ({"from_step": "step 3"}, [1, 2], ["silence", "approval"]),
    ],
)
def test_a_replay_goes_on_after_what_it_keeps(
    queue: Queue,
    store: Store,
    clock: FakeClock,
    given: dict[str, Any],
    left: list[int],
    waited: list[str],
) -> None:
    dead = _dead(queue, store, clock)

    assert store.replay(dead.id, **given).kind == "replayed"

    (claim,) = queue.claim()
    assert [each.number for each in store.engine.durable.steps.records(claim.id)] == left
    places = [Place(claim.id, name, 1) for name in ("silence", "approval")]
    assert [each.name for each in places if store.engine.durable.waits.find(each)] == waited
    assert claim.generation == (1 if given else 0)
    for each in places if given else []:  # whoever has a token of before is too late
        assert store.engine.durable.waits.answer(each, "true") == "gone"


# STEP-23
def test_a_replay_from_a_step_that_is_not_there_changes_nothing(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    dead = _dead(queue, store, clock)

    assert store.replay(dead.id, from_step="elsewhere").kind == "no_such_step"

    assert queue.stats().dead == 1
    assert len(store.engine.durable.steps.records(dead.id)) == 3
    with pytest.raises(InvalidInput):
        store.replay(dead.id, from_start=True, from_step="step 1")


# STEP-23
def test_a_cancelled_delivery_that_begins_anew_has_other_tokens(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    dead = _dead(queue, store, clock)
    store.cancel(dead.id)

    assert store.replay(dead.id, from_step="step 1").kind == "no_such_step"
    assert store.replay(dead.id, from_start=True).kind == "replayed"

    (claim,) = queue.claim()
    assert claim.generation == 1
    assert store.engine.durable.waits.answer(Place(claim.id, "approval", 1), "1") == "gone"
