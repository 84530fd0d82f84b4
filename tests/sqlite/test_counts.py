"""Counts are kept, so that asking for them costs the same however many rows there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fencepost import Queue, Store

from ..clock import FakeClock
from .inside import counted_steps

LOOKS: dict[str, Callable[[Store], object]] = {
    "stats": lambda store: store.stats(),
    "anything left": lambda store: store.engine.queue.anything_left(["mail", "other"]),
    "waiting since": lambda store: store.engine.queue.waiting_since_ms(["mail", "other"]),
    "next": lambda store: store.engine.queue.next_at_ms(["mail", "other"]),
}


# COUNT-1
def test_what_is_scheduled_is_counted_from_enqueue_to_its_time(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue_many({"body": b"", "delay": 60} for _ in range(5))
    queue.enqueue(b"now")
    (claim,) = queue.claim()
    claim.retry(delay=30)
    store.cancel(1)
    before = queue.stats()
    clock.advance(30)
    due = queue.stats()
    (again,) = queue.claim()
    leased = queue.stats()
    again.retry(delay=600)
    clock.advance(30)
    queue.claim(limit=1)
    after = queue.stats()

    seen = [(found.ready, found.scheduled, found.leased) for found in (before, due, leased, after)]
    assert seen == [(0, 5, 0), (1, 4, 0), (0, 4, 1), (3, 1, 1)]


# COUNT-1
def test_what_is_due_counts_as_ready_though_nobody_has_claimed_since(
    queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue_many({"body": b"", "delay": delay} for delay in (10, 20, 300))
    clock.advance(60)

    stats = queue.stats()

    assert (stats.ready, stats.scheduled, stats.oldest_ready_age) == (2, 1, 50.0)


# COUNT-2
@pytest.mark.parametrize("look", LOOKS)
def test_a_count_costs_the_same_however_much_is_scheduled_or_done(
    queue: Queue, store: Store, look: str
) -> None:
    def cost() -> int:
        with counted_steps(store) as steps:
            LOOKS[look](store)
        return steps[0]

    def grow(count: int) -> None:
        queue.enqueue_many({"body": b""} for _ in range(count))
        queue.ack_many(queue.claim(limit=count))
        queue.enqueue_many({"body": b"", "delay": 60} for _ in range(count))
        store.queue("other").enqueue_many({"body": b"", "delay": 60} for _ in range(count))

    grow(10)
    cost()  # compiles
    before = cost()
    grow(500)

    assert cost() <= before + 5
