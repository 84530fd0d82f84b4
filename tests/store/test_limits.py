"""Queues that are paused, and queues of which only so many deliveries are leased at a time."""

from __future__ import annotations

import pytest

from fencepost import InvalidInput, Queue, Store

from ..clock import FakeClock


@pytest.fixture
def full(store: Store) -> Queue:
    """A queue of six of which two may be leased."""
    queue = store.queue("mail", max_leased=2)
    queue.enqueue_many({"body": b"%d" % n} for n in range(6))
    return queue


# FP-14
def test_a_paused_queue_gives_nothing_until_it_is_resumed(queue: Queue, store: Store) -> None:
    queue.enqueue(b"1")
    store.queue("other").enqueue(b"2")
    (held,) = queue.claim()
    queue.enqueue(b"3")

    assert store.pause("mail")

    assert queue.claim() == []
    assert queue.stats().paused
    assert not store.stats()["other"].paused
    assert len(store.engine.queue.claim(["mail", "other"], limit=5, lease_ms=1000)[0]) == 1
    held.ack()
    assert queue.enqueue(b"4").status == "accepted"
    assert store.resume("mail")
    assert len(queue.claim(limit=5)) == 2
    assert not queue.stats().paused


def test_a_queue_that_is_not_there_yet_starts_paused(queue: Queue, store: Store) -> None:
    assert not store.resume("mail")
    assert store.stats() == {}

    assert not store.pause("mail")

    assert store.stats()["mail"].paused
    queue.enqueue(b"1")
    assert queue.claim() == []
    assert store.pause("mail")
    assert store.resume("mail")
    assert len(queue.claim()) == 1


def test_what_is_no_queues_name_cannot_be_paused(store: Store) -> None:
    for verb in (store.pause, store.resume):
        with pytest.raises(InvalidInput):
            verb("a/b")


# FP-14
def test_no_more_than_its_limit_is_leased_of_a_queue(
    full: Queue, store: Store, clock: FakeClock
) -> None:
    first, second = full.claim(limit=5, lease=30)
    assert full.claim() == []
    assert full.stats().max_leased == 2

    first.ack()
    (third,) = full.claim(limit=5, lease=60)
    assert full.claim() == []
    second.release()
    (second,) = full.claim(lease=30)
    third.retry(delay=600)
    (fourth,) = full.claim(lease=60)
    assert full.claim() == []
    clock.advance(30)  # the second's lease ends
    (again,) = full.claim()
    assert again.id == second.id
    assert fourth.message.body == b"3"


def test_a_full_queue_leaves_the_others_alone(full: Queue, store: Store) -> None:
    other = store.queue("other")
    other.enqueue_many({"body": b""} for _ in range(3))

    leases, _ = store.engine.queue.claim(["mail", "other"], limit=4, lease_ms=30_000)

    assert [leased.queue for leased in leases] == ["mail", "mail", "other", "other"]


def test_an_ack_makes_room_for_the_claim_that_comes_with_it(full: Queue, store: Store) -> None:
    held = full.claim(limit=2)

    leases, refused = store.engine.queue.claim(
        ["mail"], limit=5, lease_ms=30_000, acks=[(claim.hold, None) for claim in held]
    )

    assert (len(leases), refused) == (2, [])


def test_a_limit_may_be_changed_and_lifted(full: Queue, store: Store) -> None:
    assert len(full.claim(limit=5)) == 2

    store.queue("mail", max_leased=1)
    assert full.claim() == []
    store.queue("mail", max_leased=3)
    assert len(full.claim(limit=5)) == 1
    store.queue("mail", max_rows=100)
    assert full.claim() == []
    store.queue("mail", max_leased=None)
    assert len(full.claim(limit=5)) == 3
    assert store.engine.queue.caps("mail") == (100, None, None, 0)


def test_a_limit_of_operators_goes_before_that_of_the_handler(full: Queue, store: Store) -> None:
    assert store.limit("mail", 1)
    assert full.stats().max_leased == 1
    store.queue("mail", max_leased=5)  # as a pool does it at its start

    (claim,) = full.claim(limit=5)
    assert full.claim() == []
    assert store.limit("mail", 3)
    assert len(full.claim(limit=5)) == 2
    assert store.limit("mail", None)
    assert full.stats().max_leased == 5
    assert len(full.claim(limit=5)) == 2
    claim.release()
    assert not store.limit("new", 2)
    assert store.queue("new").stats().max_leased == 2
    with pytest.raises(InvalidInput, match="most"):
        store.limit("mail", 0)


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "2"])
def test_what_is_no_limit_is_refused(store: Store, wrong: int) -> None:
    with pytest.raises(InvalidInput, match="max_leased"):
        store.queue("mail", max_leased=wrong)

    assert store.stats() == {}


def test_a_queue_that_gives_nothing_is_not_waited_for_in_a_loop(
    full: Queue, store: Store, clock: FakeClock
) -> None:
    engine = store.engine
    assert engine.queue.next_at_ms(["mail"]) == 0
    (claim, _) = full.claim(limit=2, lease=30)
    at = engine.queue.next_at_ms(["mail"])
    assert at == engine.clock.now_ms() + 30_000
    assert engine.queue.next_at_ms(["mail", "unheard-of"]) == at
    claim.ack()
    assert engine.queue.next_at_ms(["mail"]) == 0
    store.pause("mail")
    assert engine.queue.next_at_ms(["mail"]) == at
    store.queue("other").enqueue(b"")
    assert engine.queue.next_at_ms(["mail", "other"]) == 0
