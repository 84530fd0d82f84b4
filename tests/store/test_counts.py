"""What a claim counts: added by the commit that ends it, once, and never without it."""

from __future__ import annotations

import pytest

from fencepost import Claim, LeaseLost, Queue, Store
from fencepost.store.types.durable.counts import MOST

from ..clock import FakeClock


def claimed(queue: Queue, *counts: dict[str, int], lease: float = 30) -> list[Claim]:
    """Enqueue and claim a delivery for each, and have them count that."""
    queue.enqueue_many([{"body": b"work"}] * len(counts))
    claims = queue.claim(limit=len(counts), lease=lease)
    for claim, counted in zip(claims, counts, strict=True):
        claim.note_counts(counted)
    return claims


# COUNTER-1
def test_an_ack_adds_what_its_claim_counts_and_a_repeat_adds_nothing(
    queue: Queue, store: Store
) -> None:
    (claim,) = claimed(queue, {"mails": 3, "bytes": 7})
    assert store.counters() == {}

    for _ in range(2):
        claim.ack()

    assert store.counters() == {"bytes": 7, "mails": 3}


# COUNTER-1
def test_acks_of_a_set_are_added_together(queue: Queue, store: Store) -> None:
    claims = claimed(queue, {"mails": 1}, {}, {"mails": 2, "other": 5})

    assert queue.ack_many(claims) == []

    assert store.counters() == {"mails": 3, "other": 5}


# COUNTER-1
def test_of_the_acks_of_a_claim_those_that_are_refused_count_nothing(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    stale, good = claimed(queue, {"mails": 1}, {"mails": 10})
    good.renew(600)
    clock.advance(31)
    queue.claim()  # the first one, whose lease is over

    _, refused = store.engine.queue.claim(
        [queue.name], limit=1, lease_ms=1000, acks=[(stale.hold, None), (good.hold, None)]
    )

    assert refused == [stale.hold]
    assert store.counters() == {"mails": 10}
    with pytest.raises(LeaseLost):
        stale.ack()
    assert store.counters() == {"mails": 10}


# COUNTER-1
def test_what_is_not_done_counts_nothing(queue: Queue, store: Store) -> None:
    retried, released, buried = claimed(queue, *[{"mails": 1}] * 3)

    retried.retry(delay=60)
    released.release()
    buried.bury("no")

    assert store.counters() == {}


# COUNTER-1
def test_a_transaction_that_ends_with_the_ack_counts_or_neither_is_there(
    queue: Queue, store: Store
) -> None:
    (claim,) = claimed(queue, {"mails": 1})

    with pytest.raises(ZeroDivisionError), claim.transaction():
        raise ZeroDivisionError
    assert store.counters() == {}
    with claim.transaction():
        pass

    assert store.counters() == {"mails": 1}


# COUNTER-1
def test_a_step_in_a_transaction_counts_with_its_record(queue: Queue, store: Store) -> None:
    (claim,) = claimed(queue, {})
    steps = store.engine.durable.steps

    with pytest.raises(ZeroDivisionError), steps.transaction(claim.hold) as step:
        step.add({"mails": 1})
        raise ZeroDivisionError
    assert store.counters() == {}
    with steps.transaction(claim.hold) as step:
        step.add({"mails": 1})

    assert store.counters() == {"mails": 1}


# COUNTER-3
def test_a_counter_stops_at_the_largest_number_and_refuses_no_ack(
    queue: Queue, store: Store
) -> None:
    first, *others = claimed(queue, {"n": MOST - 1}, {"n": MOST}, {"n": MOST, "m": 1})
    first.ack()

    assert queue.ack_many(others) == []

    assert store.counters() == {"m": 1, "n": MOST}
