"""Deliveries whose handlers sleep: no lease, no worker, no cap; woken in their time."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost import LeaseLost, Queue, Store

from ..clock import FakeClock
from .suspended import sleep, taken_over


# SLEEP-4
def test_a_sleeper_is_claimed_after_its_time_and_not_before(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    sleep(store, claim, 60)

    assert queue.claim() == []
    clock.advance(59.9)
    assert queue.claim() == []
    assert store.engine.queue.next_at_ms([queue.name]) == store.engine.clock.now_ms() + 100
    clock.advance(0.1)
    (again,) = queue.claim()

    assert again.fence > claim.fence
    assert [each.kind for each in store.engine.durable.steps.records(again.id)] == ["sleep"]


# SLEEP-5
def test_sleeping_on_is_no_attempt_and_coming_further_begins_the_count_anew(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    for _ in range(3):
        (claim,) = queue.claim()
        claim.retry(delay=0)
    (claim,) = queue.claim()
    assert claim.attempt == 4
    sleep(store, claim, 60, anew=False)
    clock.advance(60)
    (claim,) = queue.claim()
    assert claim.attempt == 4
    sleep(store, claim, 60)
    clock.advance(60)

    (claim,) = queue.claim()

    assert claim.attempt == 1


# SLEEP-5
def test_the_time_for_which_it_is_tried_begins_when_it_wakes(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    sleep(store, claim, 30 * 86_400)
    clock.advance(30 * 86_400)
    (claim,) = queue.claim()

    assert claim.retry(delay=0)


# SLEEP-5
def test_the_time_that_it_sleeps_on_does_not_count_for_how_long_it_is_tried(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work", retry_for=60)
    (claim,) = queue.claim()
    clock.advance(10)
    claim.retry(delay=0)
    (claim,) = queue.claim()
    sleep(store, claim, 86_400, anew=False)
    clock.advance(86_400)
    (claim,) = queue.claim()
    clock.advance(49)

    assert claim.retry(delay=0)

    (claim,) = queue.claim()
    clock.advance(1)
    assert not claim.retry(delay=0)


# SLEEP-7
def test_sleepers_are_counted_apart_and_no_cap_counts_them(store: Store, clock: FakeClock) -> None:
    queue = store.queue("capped", max_rows=1, max_leased=1)
    queue.enqueue(b"first")
    (claim,) = queue.claim()
    sleep(store, claim, 60)

    queue.enqueue(b"second")

    stats = queue.stats()
    assert (stats.asleep, stats.ready, stats.scheduled, stats.leased) == (1, 1, 0, 0)
    assert len(queue.claim()) == 1
    assert [(each.state, each.asleep) for each in store.deliveries(state="sleeping")] == [
        ("sleeping", "nap")
    ]
    assert not store.engine.queue.anything_left(["other"])
    clock.advance(60)


# SLEEP-7
def test_a_pool_that_drains_does_not_wait_for_sleepers(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    assert store.engine.queue.anything_left([queue.name])

    sleep(store, claim, 60)

    assert not store.engine.queue.anything_left([queue.name])
    assert queue.stats().oldest_ready_age == 0
    clock.advance(60)
    assert store.engine.queue.anything_left([queue.name])


# SLEEP-6
@pytest.mark.parametrize(("policy", "next_one"), [("strict", 0), ("park", 0), ("skip", 1)])
def test_a_sleeper_holds_its_lane_unless_the_lane_skips(
    store: Store, clock: FakeClock, policy: Any, next_one: int
) -> None:
    queue = store.queue("laned")
    for n in range(2):
        queue.enqueue(b"%d" % n, lane="a", lane_policy=policy)
    (head,) = queue.claim(limit=2)
    sleep(store, head, 60)

    claimed = queue.claim(limit=2)
    assert len(claimed) == next_one
    for each in claimed:
        each.ack()
    clock.advance(60)

    (woken,) = queue.claim(limit=2)
    assert woken.id == head.id


# SLEEP-4, CLAIM-37
def test_sleeping_is_fenced_and_told_twice_is_told_once(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    stale, holder = taken_over(queue, clock)

    with pytest.raises(LeaseLost):
        sleep(store, stale, 60)

    assert store.engine.durable.steps.records(stale.id) == []
    for _ in range(2):
        sleep(store, holder, 60)
    assert queue.stats().asleep == 1
    assert len(store.engine.durable.steps.records(holder.id)) == 1


# SLEEP-9
def test_a_sleeper_can_be_cancelled_and_is_forgotten_in_time(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work", key="k", keep_for=60)
    (claim,) = queue.claim()
    sleep(store, claim, 3600)
    clock.advance(120)
    store.sweep()
    assert queue.enqueue(b"work", key="k").state == "sleeping"
    assert store.replay(claim.id).kind == "sleeping"

    assert store.cancel(claim.id).kind == "cancelled"

    cancelled = store.delivery(claim.id)
    assert cancelled is not None
    assert cancelled.asleep is None
    assert store.engine.durable.steps.records(claim.id) == []
    clock.advance(61)
    assert queue.enqueue(b"work", key="k").status == "accepted"


def test_a_sleeper_of_a_paused_queue_wakes_and_waits(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    sleep(store, claim, 60)
    store.pause(queue.name)
    clock.advance(61)
    assert queue.claim() == []

    store.resume(queue.name)

    assert len(queue.claim()) == 1


# SLEEP-9
def test_a_sleeper_goes_with_its_queue_to_another_one(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    sleep(store, claim, 60)

    moved = store.move(queue.name, "renamed")

    assert (moved.moved, queue.stats().asleep, store.queue("renamed").stats().asleep) == (1, 0, 1)
    clock.advance(60)
    (again,) = store.queue("renamed").claim()
    assert again.id == claim.id
    assert len(store.engine.durable.steps.records(again.id)) == 1


# SLEEP-6, SLEEP-9
@pytest.mark.parametrize(("policy", "order"), [("strict", [0, 1]), ("skip", [1, 0])])
def test_a_sleeper_that_was_moved_has_its_place_in_its_lane(
    store: Store, clock: FakeClock, policy: Any, order: list[int]
) -> None:
    old, new = store.queue("old"), store.queue("new")
    old.enqueue(b"", lane="a", lane_policy=policy)
    new.enqueue(b"", lane="a", lane_policy=policy)
    (claim,) = old.claim()
    sleep(store, claim, 60)
    both = [claim.id, claim.id + 1]

    store.move("old", "new")

    found = []
    for seconds in (0, 60, 0):
        clock.advance(seconds)
        for each in new.claim(limit=5):
            found.append(each.id)
            each.ack()
    assert found == [both[n] for n in order]


# SLEEP-7, COUNT-1
def test_a_sleeper_whose_time_has_come_counts_as_ready(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    for key in ("early", "late"):
        queue.enqueue(b"work", key=key)
    for claim, seconds in zip(queue.claim(limit=2), (60, 3600), strict=True):
        sleep(store, claim, seconds)
    assert store.engine.queue.waiting_since_ms([queue.name]) is None

    clock.advance(100)

    stats = queue.stats()
    assert (stats.ready, stats.asleep, stats.oldest_ready_age) == (1, 1, 40)
    assert store.engine.queue.waiting_since_ms([queue.name]) == round(store.now() * 1000) - 40_000
    assert len(queue.claim(limit=2)) == 1
    stats = queue.stats()
    assert (stats.ready, stats.asleep, stats.leased) == (0, 1, 1)


# SLEEP-7, UNSERVED-1
def test_a_queue_of_sleepers_that_no_pool_serves_is_unserved(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    sleep(store, claim, 3600)

    (found,) = store.unserved()

    assert (found.queue, found.waiting, found.leased) == (queue.name, 1, 0)
