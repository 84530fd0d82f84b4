"""Bodies that are kept once the work is done, and having it done again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fencepost import InvalidInput, Queue, Store
from fencepost.app.context import _idempotency_key
from fencepost.store.types.messages.draft import Address, Draft

from ..clock import FakeClock


def work(store: Store, key: str = "k", name: str = "mail", **options: Any) -> int:
    """Have something enqueued and done; return the delivery's id."""
    queue = store.queue(name)
    queue.enqueue(b"work", key=key, **options)
    (claim,) = queue.claim()
    claim.ack({"ok": True})
    return claim.id


def body(store: Store, id: int) -> bytes | None:
    """Return what is left of a body."""
    content = store.content(id)
    return None if content is None else content.body


# BODY-1
@pytest.mark.parametrize("keep", [60, 60.0, timedelta(minutes=1)])
def test_a_queue_keeps_the_bodies_of_what_is_done_for_a_time(
    store: Store, clock: FakeClock, keep: Any
) -> None:
    store.queue("mail", keep_body_for=keep)
    done = work(store)
    clock.advance(59)
    store.sweep()
    assert body(store, done) == b"work"
    clock.advance(1)

    assert store.sweep() == 1

    assert body(store, done) is None
    assert store.content(done) is not None
    assert store.queue("mail").enqueue(b"work", key="k").status == "duplicate"


# BODY-2
def test_of_a_source_and_several_queues_the_longest_time_counts(
    store: Store, clock: FakeClock
) -> None:
    store.queue("first", keep_body_for=30)
    store.queue("second", keep_body_for=90)
    addresses = [Address("first"), Address("second")]
    for key, of_source in (("queues", 10_000), ("source", 120_000)):
        draft = Draft("s", "s", key, "e", {}, b"work", addresses, keep_body_ms=of_source)
        store.engine.queue.enqueue([draft])
    for name in ("first", "second"):
        queue = store.queue(name)
        queue.ack_many(queue.claim(limit=2))
    seen = []
    for _ in range(3):
        clock.advance(45)
        store.sweep()
        seen.append([body(store, id) for id in (1, 3)])

    assert seen == [[b"work", b"work"], [None, b"work"], [None, None]]


# BODY-3
def test_a_message_and_its_key_live_no_shorter_than_its_body(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    store.queue("mail", keep_body_for=60)
    done = work(store, keep_for=5)
    clock.advance(59)
    store.sweep()

    assert body(store, done) == b"work"
    assert queue.enqueue(b"work", key="k").status == "duplicate"
    clock.advance(1)
    store.sweep()
    assert store.delivery(done) is None


# BODY-4
def test_the_dead_and_the_cancelled_keep_their_bodies_as_long_as_their_keys(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    store.queue("mail", keep_body_for=10)
    queue.enqueue_many({"body": b"work", "keep_for": 60} for _ in range(2))
    (claim,) = queue.claim()
    claim.bury("no")
    store.cancel(2)
    clock.advance(59)
    store.sweep()

    assert [body(store, id) for id in (1, 2)] == [b"work"] * 2


# BODY-1
def test_what_is_set_counts_when_the_work_ends_and_not_when_it_came(
    store: Store, queue: Queue
) -> None:
    queue.enqueue(b"work")
    store.queue("mail", keep_body_for=60)
    store.queue("mail", max_rows=5)
    (claim,) = queue.claim()
    claim.ack()
    store.queue("mail", keep_body_for=0)
    gone = work(store)

    assert (body(store, claim.id), body(store, gone)) == (b"work", None)


@pytest.mark.parametrize("keep", [-1, "1h", None, float("nan"), True])
def test_a_time_to_keep_bodies_for_is_seconds(store: Store, keep: Any) -> None:
    with pytest.raises(InvalidInput, match="keep_body_for"):
        store.queue("mail", keep_body_for=keep)


# REPLAY-1
def test_what_is_done_is_replayed_as_a_copy_with_a_life_of_its_own(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    store.queue("mail", keep_body_for=3600)
    done = work(store, headers={"x-kind": "test"}, priority=3)
    clock.advance(60)

    outcome = store.replay(done)

    assert (outcome.kind, outcome.message, outcome.delivery) == ("copied", 2, 2)
    assert outcome
    before, after = store.delivery(1), store.delivery(2)
    assert before is not None
    assert after is not None
    assert (before.state, after.state, after.attempt) == ("done", "ready", 0)
    for same in ("queue", "source", "key", "event", "priority", "received_at"):
        assert getattr(after, same) == getattr(before, same)
    (claim,) = queue.claim()
    assert (claim.message.body, claim.message.key) == (b"work", "k")
    assert claim.message.headers == {"x-kind": "test"}
    assert claim.message.copy_of == 1
    claim.ack()
    assert queue.stats().done == 2


# REPLAY-12
def test_a_copy_can_be_copied(store: Store) -> None:
    store.queue("mail", keep_body_for=60)
    done = work(store)
    for copied in (2, 3, 4):
        outcome = store.replay(done)
        assert (outcome.kind, outcome.delivery) == ("copied", copied)
        (claim,) = store.queue("mail").claim()
        claim.ack()
        done = claim.id

    assert [outcome.kind for outcome in map(store.replay, (1, 2, 3, 4))] == ["copied"] * 4


# REPLAY-2
def test_a_copy_and_its_original_name_each_other(store: Store) -> None:
    store.queue("mail", keep_body_for=3600)
    done = work(store)
    first, second = store.replay(done), store.replay(done)

    original, copy = store.content(done), store.content(2)

    assert (first.message, second.message) == (2, 3)
    assert original is not None
    assert copy is not None
    assert (original.copy_of, original.copies) == (None, (2, 3))
    assert (copy.copy_of, copy.copies) == (1, ())


# REPLAY-3
@pytest.mark.parametrize("copy_ends", [True, False])
def test_the_key_stays_with_the_original(store: Store, queue: Queue, copy_ends: bool) -> None:
    store.queue("mail", keep_body_for=3600)
    done = work(store)
    store.replay(done)
    if copy_ends:
        queue.claim()[0].ack("of the copy")

    receipt = queue.enqueue(b"work", key="k")

    assert (receipt.status, receipt.message_id, receipt.state) == ("duplicate", 1, "done")
    assert receipt.result == {"ok": True}


# REPLAY-4
def test_what_is_done_and_has_no_body_cannot_be_replayed(store: Store, clock: FakeClock) -> None:
    at_once = work(store, "a")
    store.queue("mail", keep_body_for=60)
    later = work(store, "b")
    clock.advance(60)
    store.sweep()

    assert [store.replay(id).kind for id in (at_once, later)] == ["unrecoverable"] * 2
    assert len(store.deliveries()) == 2


# REPLAY-5
def test_a_copy_waits_behind_the_others_of_its_lane(store: Store, queue: Queue) -> None:
    store.queue("mail", keep_body_for=60)
    done = work(store, lane="a")
    queue.enqueue(b"next", lane="a")
    store.replay(done)

    (first,) = queue.claim(limit=5)
    first.ack()
    (second,) = queue.claim(limit=5)

    assert [first.message.body, second.message.body] == [b"next", b"work"]


# REPLAY-6
def test_a_handler_sees_another_idempotency_key_with_a_copy(store: Store, queue: Queue) -> None:
    store.queue("mail", keep_body_for=60)
    queue.enqueue(b"work", key="k")
    (original,) = queue.claim()
    original.ack()
    store.replay(original.id)
    store.replay(original.id)

    keys = [_idempotency_key(claim) for claim in (original, *queue.claim(limit=2))]

    assert len(set(keys)) == 3


# REPLAY-1
def test_a_copy_that_is_rolled_back_was_never_there(store: Store, queue: Queue) -> None:
    store.queue("mail", keep_body_for=60)
    done = work(store)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.replay(done)
        raise ZeroDivisionError

    assert [found.id for found in store.deliveries()] == [1]
    assert queue.stats().ready == 0
