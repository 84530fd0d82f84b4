"""How long a delivery is tried: by default as long as senders go on to redeliver."""

from __future__ import annotations

import pytest

from fencepost import Queue, Store
from fencepost.store.types.messages.draft import Address, Draft

from ..clock import FakeClock
from ..kits import Kit

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def fail(queue: Queue, clock: FakeClock) -> list[float]:
    """Fail a delivery until it is dead; return how long it waited for each attempt but the first."""
    waits: list[float] = []
    while True:
        (claim,) = queue.claim(lease=60)
        if not claim.retry(error="the service is down"):
            return waits
        at = queue._engine.queue.next_at_ms([queue.name])
        assert at is not None
        waits.append(max(0, at - queue._engine.clock.now_ms()) / 1000)
        clock.advance(waits[-1])


# RETRY-1
def test_by_default_it_is_tried_for_three_days(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work")

    waits = fail(queue, clock)

    assert 3 * DAY <= sum(waits) <= 3 * DAY + HOUR
    assert sum(waits[:9]) <= 15 * MINUTE
    assert max(waits) <= HOUR
    assert min(waits[11:]) >= 15 * MINUTE
    assert queue.stats().dead == 1


# RETRY-1
def test_the_waits_of_two_that_failed_together_are_not_the_same(
    queue: Queue, clock: FakeClock, store: Store
) -> None:
    queue.enqueue_many({"body": b"%d" % n} for n in range(50))

    for claim in queue.claim(limit=50):
        claim.retry()

    assert len({found.due_at for found in store.deliveries()}) > 10


# RETRY-2, DRAIN-5, FP-9
def test_the_limit_that_is_reached_first_makes_it_dead(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"few", max_attempts=3)
    for attempt in (1, 2, 3):
        (claim,) = queue.claim()
        assert claim.retry(delay=0) is (attempt < 3)

    queue.enqueue(b"short", max_attempts=1_000, retry_for=10)
    for _ in range(20):
        (claim,) = queue.claim()
        assert claim.retry(delay=0.5)
        clock.advance(0.5)
    (claim,) = queue.claim()
    assert not claim.retry(delay=0)

    assert queue.stats().dead == 2


# RETRY-2
def test_a_bound_on_attempts_leaves_the_three_days(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work", max_attempts=1_000_000)

    assert 3 * DAY <= sum(fail(queue, clock)) <= 3 * DAY + HOUR


# RETRY-2
def test_an_expired_lease_counts_under_both_limits(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue_many([{"body": b"", "max_attempts": 2}, {"body": b"", "retry_for": 100}])

    for left in (2, 2, 1, 0):
        assert len(queue.claim(limit=2, lease=45)) == left
        clock.advance(45)

    assert queue.stats().dead == 2


# RETRY-3
def test_time_in_which_nobody_tried_it_does_not_count(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"waits for its pool")
    queue.enqueue(b"scheduled", delay=5 * DAY)
    clock.advance(6 * DAY)

    for claim in queue.claim(limit=2):
        assert claim.retry()


# RETRY-3
def test_a_replayed_one_is_tried_for_as_long_again(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    fail(queue, clock)
    (dead,) = store.deliveries()

    assert store.replay(dead.id)

    assert sum(fail(queue, clock)) >= 3 * DAY


# RETRY-4
def test_the_attempt_after_the_end_is_not_left_out(queue: Queue, clock: FakeClock) -> None:
    """Who asks for a wait that is longer than retry_for gets one more attempt after it."""
    queue.enqueue(b"work", retry_for=60)
    (claim,) = queue.claim()
    assert claim.retry(delay=2 * HOUR)
    clock.advance(2 * HOUR)

    (claim,) = queue.claim()

    assert not claim.retry()


# RETRY-5
@pytest.mark.sqlite("a million attempts take long in plain Python")
def test_an_outage_of_a_day_leaves_no_dead_letter(kit: Kit, clock: FakeClock) -> None:
    """1,000 messages, their service down for 24 h, and a sender that delivers them again."""
    down = 24 * HOUR
    with kit.open(durability="normal") as store:
        drafts = [_draft(n) for n in range(1_000)]
        assert {receipt.status for receipt in store.engine.queue.enqueue(drafts)} == {"accepted"}
        redeliveries = [0, 10 * MINUTE, 2 * HOUR, 9 * HOUR, 23 * HOUR]
        for passed in range(0, down, MINUTE):
            if passed in redeliveries:
                receipts = store.engine.queue.enqueue(drafts)
                assert {receipt.status for receipt in receipts} == {"duplicate"}
            claims = store.queue("deploy").claim(limit=1_000)
            with store.transaction():
                assert all(claim.retry(error="the service is down") for claim in claims)
            clock.advance(MINUTE)

        for _ in range(0, HOUR, MINUTE):
            queue = store.queue("deploy")
            assert queue.ack_many(queue.claim(limit=1_000)) == []
            clock.advance(MINUTE)

        stats = store.stats()["deploy"]
        assert (stats.done, stats.dead, stats.scheduled) == (1_000, 0, 0)


def _draft(n: int) -> Draft:
    return Draft(
        scope="github",
        source="github",
        key=f"event-{n}",
        event="push",
        headers={},
        body=b"%d" % n,
        addresses=[Address("deploy")],
        redelivery="revive",
    )


# RETRY-9
def test_a_delivery_in_work_when_the_machine_went_off_for_days_is_tried_again(
    kit: Kit, clock: FakeClock
) -> None:
    with kit.open() as store:
        queue = store.queue("mail")
        queue.enqueue(b"work")
        assert queue.claim(lease=60)
        clock.advance(MINUTE / 2)
    clock.boot_name, clock.boot = "second boot", 1_000
    clock.wall += 4 * DAY * 1_000

    with kit.open() as store:
        queue = store.queue("mail")
        (again,) = queue.claim()

        assert again.attempt == 2
        again.ack()
        assert queue.stats().done == 1
