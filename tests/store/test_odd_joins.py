"""Joins beside what operators, limits and other deliveries of the lane do."""

from __future__ import annotations

import pytest

from fencepost import Store
from fencepost.store.engine.durable.joins import Apart
from fencepost.store.types.messages.draft import Address, Draft, Join
from fencepost.store.types.messages.limits import Limits

from ..clock import FakeClock
from .test_joining import WINDOW, arrive, claim, keys, one


# JOIN-2
def test_what_stands_aside_does_not_fill_a_call(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b", most=2)
    group = one(store, most=2)
    failed = [Apart(1, 600_000, "no"), Apart(2, 600_000, "no")]
    store.engine.durable.joins.settle(group.hold, failed, None)

    arrive(store, "c", most=2)

    assert claim(store, most=2) == []
    clock.advance(1)
    arrive(store, "d", most=2)
    assert keys(one(store, most=2)) == "cd"


# JOIN-3
def test_what_comes_during_a_call_does_not_begin_a_window_anew(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", bound_ms=50_000)
    clock.advance(WINDOW)
    first = one(store)
    arrive(store, "b", bound_ms=50_000)
    clock.advance(3)
    arrive(store, "c", bound_ms=50_000)
    clock.advance(1)
    first.ack()
    assert claim(store) == []

    clock.advance(1)

    assert keys(one(store)) == "bc"


# JOIN-1
def test_a_replayed_message_does_not_go_after_newer_ones_in_a_call(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    store.engine.durable.joins.settle(one(store).hold, [Apart(1, None, "no")], None)
    arrive(store, "c", "d")
    clock.advance(WINDOW)

    assert store.replay(1).kind == "replayed"

    first = one(store)
    assert keys(first) == "cd"
    arrive(store, "e")
    first.ack()
    assert keys(one(store)) == "ae"


# JOIN-9
def test_a_replayed_message_supersedes_no_newer_one(store: Store, clock: FakeClock) -> None:
    address = Address("mail", lane="one", lane_policy="latest", join=Join(5000, 500, latest=True))

    def come(key: str) -> None:
        store.engine.queue.enqueue([Draft("s", "s", key, "", {}, b"", [address])])
        clock.advance(WINDOW)

    come("a")
    one(store).bury("no")
    come("b")
    store.replay(1)

    newest = one(store)
    newest.take_newest()
    newest.ack()

    assert store.delivery(2).state == "done"  # type: ignore[union-attr]
    assert keys(one(store)) == "a"


# JOIN-1
def test_a_copy_of_a_done_message_goes_along_with_what_waits(
    store: Store, clock: FakeClock
) -> None:
    address = Address("mail", lane="one", join=Join(5000, 500))
    for key in "ab":
        store.engine.queue.enqueue(
            [Draft("s", "s", key, "", {}, b"", [address], keep_body_ms=600_000)]
        )
    clock.advance(WINDOW)
    one(store).ack()
    arrive(store, "c")
    assert store.replay(1).kind == "copied"
    clock.advance(WINDOW)

    assert keys(one(store)) == "ca"


# JOIN-2
def test_a_head_that_is_cancelled_leaves_the_next_its_own_window(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a")
    clock.advance(3)
    arrive(store, "b")
    clock.advance(1)

    assert store.cancel(1).kind == "cancelled"

    clock.advance(3.9)
    assert claim(store) == []
    clock.advance(0.1)
    assert keys(one(store)) == "b"


# JOIN-2
def test_a_window_that_ends_while_its_queue_is_paused_is_one_call_later(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a")
    store.pause("mail")
    clock.advance(2 * WINDOW)
    arrive(store, "b")
    assert claim(store) == []

    store.resume("mail")

    assert keys(one(store)) == "ab"


# JOIN-1
def test_the_oldest_of_a_key_has_the_say_about_its_priority(store: Store, clock: FakeClock) -> None:
    for key, lane, priority in (("a", "one", 0), ("x", "two", 5), ("b", "one", 9)):
        address = Address("mail", lane=lane, priority=priority, join=Join(5000, 500))
        store.engine.queue.enqueue([Draft("s", "s", key, "", {}, b"", [address])])
    clock.advance(WINDOW)

    assert [keys(each) for each in claim(store)] == ["x", "ab"]


# JOIN-1
def test_what_waits_for_its_time_is_not_taken_along_and_comes_in_its_place(
    store: Store, clock: FakeClock
) -> None:
    queue = store.queue("mail")
    queue.enqueue(b"", key="a", lane="one")
    queue.enqueue(b"", key="b", lane="one", delay=60)
    queue.enqueue(b"", key="c", lane="one")

    first = one(store)
    assert keys(first) == "ac"
    queue.enqueue(b"", key="d", lane="one")
    first.ack()
    assert claim(store) == []
    clock.advance(60)

    assert keys(one(store)) == "bd"


# JOIN-2, JOIN-4
def test_behind_a_full_call_the_next_one_does_not_wait_if_it_is_full(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, *"abcdefgh", most=3)
    first = one(store, most=3)
    assert keys(first) == "abc"

    first.ack()
    second = one(store, most=3)
    assert keys(second) == "def"
    second.ack()
    assert claim(store, most=3) == []
    arrive(store, "i", most=3)

    assert keys(one(store, most=3)) == "ghi"


# JOIN-2
def test_what_fills_a_call_while_another_runs_comes_right_after_it(store: Store) -> None:
    arrive(store, "a", "b", most=2)
    first = one(store, most=2)
    for key in "cde":
        arrive(store, key, most=2)

    first.ack()

    second = one(store, most=2)
    assert keys(second) == "cd"
    second.ack()
    assert claim(store, most=2) == []


# JOIN-2, JOIN-4
def test_with_one_message_a_call_there_is_no_window(store: Store) -> None:
    found: list[str] = []
    for key in "abc":
        arrive(store, key, most=1)
    while groups := claim(store, most=1):
        found += map(keys, groups)
        groups[0].ack()

    assert found == ["a", "b", "c"]


# JOIN-6
def test_one_that_fails_in_its_only_attempt_is_dead(store: Store, clock: FakeClock) -> None:
    arrive(store, "a", "b")
    clock.advance(WINDOW)
    (group,) = claim(store, limits={"mail": Limits(max_attempts=1)})

    store.engine.durable.joins.settle(group.hold, [Apart(2, 60_000, "no")], None)

    (dead,) = store.deliveries(state="dead")
    assert (dead.id, dead.error, dead.attempt) == (2, "no", 1)


# JOIN-6
@pytest.mark.parametrize("delay_ms", [0, 60_000])
def test_one_without_a_key_that_fails_comes_back(
    store: Store, clock: FakeClock, delay_ms: int
) -> None:
    address = Address("mail", join=Join(5000, 500))
    store.engine.queue.enqueue([Draft("s", "s", "a", "", {}, b"", [address])])

    store.engine.durable.joins.settle(one(store).hold, [Apart(1, delay_ms, "no")], None)
    clock.advance(delay_ms / 1000)

    again = one(store)
    assert (keys(again), again.attempt) == ("a", 2)


# JOIN-9
def test_a_superseded_message_that_comes_again_is_a_duplicate(
    store: Store, clock: FakeClock
) -> None:
    address = Address("mail", lane="one", lane_policy="latest", join=Join(5000, 500, latest=True))
    drafts = [
        Draft("s", "s", key, "", {}, key.encode(), [address], redelivery="revive") for key in "ab"
    ]
    store.engine.queue.enqueue(drafts)
    clock.advance(WINDOW)
    newest = one(store)
    newest.take_newest()
    newest.ack()

    (again,) = store.engine.queue.enqueue(drafts[:1])

    assert again.status == "duplicate"
    assert claim(store) == []


# JOIN-5
def test_a_group_with_one_cancelled_after_its_lease_comes_back_without_it(
    store: Store, clock: FakeClock
) -> None:
    arrive(store, "a", "b", "c")
    clock.advance(WINDOW)
    one(store)
    clock.advance(31)

    assert store.cancel(1).kind == "cancelled"

    assert claim(store, limit=0) == []
    clock.advance(60)
    assert keys(one(store)) == "b"
    assert store.queue("mail").stats().leased == 1
