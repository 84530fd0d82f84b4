"""Giving deliveries to another queue: what goes along, and what is left."""

from __future__ import annotations

import pytest

from fencepost import InvalidInput, Queue, Store
from fencepost.app.context import _idempotency_key
from fencepost.store.types.messages.draft import Address, Draft

from ..clock import FakeClock


def one_of_each(queue: Queue) -> None:
    """Make a delivery in every state: 1 done, 2 dead, 3 leased, 4 cancelled, 5 ready, 6 later."""
    queue.enqueue_many({"body": b"%d" % n, "key": f"{n}"} for n in range(1, 6))
    queue.enqueue(b"6", key="6", delay=60)
    done, dead, _ = queue.claim(limit=3, lease=3600)
    done.ack()
    dead.bury("no such address")


# MOVE-1
def test_what_waits_or_is_dead_moves_and_the_rest_is_left(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    one_of_each(queue)
    store.cancel(4)

    outcomes = [outcome.kind for outcome in store.move_many(range(1, 8), "post")]

    assert outcomes == [
        *("completed", "moved", "claimed", "already_cancelled"),
        *("moved", "moved", "not_found"),
    ]
    left, moved = queue.stats(), store.queue("post").stats()
    assert (left.ready, left.scheduled, left.dead, left.leased) == (0, 0, 0, 1)
    assert (moved.ready, moved.scheduled, moved.dead, moved.leased) == (1, 1, 1, 0)
    clock.advance(60)
    assert [claim.id for claim in store.queue("post").claim(limit=5)] == [5, 6]
    assert queue.claim(limit=5) == []


# MOVE-1
def test_what_a_dead_worker_had_is_taken_back_and_moved(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim(lease=1)
    clock.advance(1)

    assert [outcome.kind for outcome in store.move_many([1], "post")] == ["moved"]
    claim.ack()  # late, and nobody has claimed it since
    assert store.queue("post").stats().done == 1


# MOVE-2
def test_a_handler_sees_the_same_idempotency_key_after_a_move(store: Store, queue: Queue) -> None:
    queue.enqueue(b"work", key="k")
    (before,) = queue.claim()
    before.retry(delay=0)
    store.move_many([1], "post")
    store.move_many([1], "parcel")
    (after,) = store.queue("parcel").claim()

    listed = store.delivery(1)
    assert listed is not None
    assert (listed.queue, listed.origin) == ("parcel", "mail")
    assert (after.queue, after.origin, after.attempt) == ("parcel", "mail", 2)
    assert _idempotency_key(after) == _idempotency_key(before)


# MOVE-3
def test_a_message_that_has_a_delivery_there_is_left(store: Store) -> None:
    addresses = [Address("first"), Address("second")]
    store.engine.queue.enqueue([Draft("s", "s", "k", "e", {}, b"work", addresses)])

    assert [outcome.kind for outcome in store.move_many([1], "second")] == ["present"]
    assert (store.queue("first").stats().ready, store.queue("second").stats().ready) == (1, 1)


# MOVE-4
def test_a_jobs_key_goes_with_it(store: Store, queue: Queue, clock: FakeClock) -> None:
    post = store.queue("post")
    queue.enqueue(b"work", key="k")
    queue.enqueue(b"other", key="taken")
    post.enqueue(b"other", key="taken")
    queue.enqueue(b"old", key="forgotten")
    post.enqueue(b"old", key="forgotten", keep_for=5)
    store.cancel(5)
    clock.advance(5)

    outcomes = [outcome.kind for outcome in store.move_many([1, 2, 4], "post")]

    assert outcomes == ["moved", "present", "moved"]
    assert post.enqueue(b"work", key="k").status == "duplicate"
    assert post.enqueue(b"old", key="forgotten").message_id == 4
    assert queue.enqueue(b"work", key="k").status == "accepted"


# MOVE-5
def test_a_lane_goes_on_in_its_order(store: Store, queue: Queue) -> None:
    post = store.queue("post")
    for name in ("mail", "post", "mail", "post"):
        store.queue(name).enqueue(name.encode(), lane="a")
    store.move_many([1, 3], "post")

    order = []
    while claims := post.claim(limit=5):
        (claim,) = claims
        order.append(claim.id)
        claim.ack()

    assert order == [1, 2, 3, 4]


# MOVE-5
def test_the_rest_of_a_lane_goes_on_without_its_moved_head(store: Store, queue: Queue) -> None:
    queue.enqueue_many({"body": b"", "lane": "a"} for _ in range(3))

    store.move_many([1], "post")

    assert [claim.id for claim in queue.claim(limit=5)] == [2]
    assert [claim.id for claim in store.queue("post").claim(limit=5)] == [1]


# MOVE-6
def test_one_that_is_parked_keeps_its_lane_waiting_there_too(store: Store, queue: Queue) -> None:
    queue.enqueue_many({"body": b"", "lane": "a", "lane_policy": "park"} for _ in range(2))
    (claim,) = queue.claim()
    claim.bury("no")
    store.move_many([1, 2], "post")
    post = store.queue("post")

    assert post.claim() == []
    store.cancel(1)
    assert [claim.id for claim in post.claim()] == [2]


# MOVE-6
def test_one_that_is_parked_is_plainly_dead_where_its_lane_is_at_work(
    store: Store, queue: Queue
) -> None:
    queue.enqueue(b"", lane="a", lane_policy="park")
    (claim,) = queue.claim()
    claim.bury("no")
    post = store.queue("post")
    post.enqueue_many({"body": b"", "lane": "a"} for _ in range(2))
    (working,) = post.claim()

    assert [outcome.kind for outcome in store.move_many([1], "post")] == ["moved"]
    working.ack()
    assert [claim.id for claim in post.claim()] == [3]


# MOVE-7
def test_all_of_a_queue_that_can_be_is_moved_and_what_is_left_is_counted(store: Store) -> None:
    addresses = [Address("mail"), Address("post")]
    store.engine.queue.enqueue([Draft("s", "s", "k", "e", {}, b"work", addresses)])
    mail = store.queue("mail")
    mail.enqueue_many({"body": b"", "lane": f"{n % 7}"} for n in range(1200))
    for claim in mail.claim(limit=5)[1:]:
        claim.bury("no")

    moved = store.move("mail", "parcel", state="dead")
    rest = store.move("mail", "post")
    again = store.move("mail", "post")

    assert (moved.moved, rest.moved, rest.leased, rest.present) == (4, 1196, 1, 0)
    assert (again.moved, again.leased, again.present) == (0, 1, 0)


# MOVE-7
def test_what_is_moved_can_be_narrowed_down(store: Store, queue: Queue) -> None:
    for key in ("a", "b"):
        store.engine.queue.enqueue([Draft("s", "s", key, f"e.{key}", {}, b"", [Address("mail")])])

    assert store.move("mail", "post", event="e.b").moved == 1
    assert [found.key for found in store.deliveries(queue="post")] == ["b"]
    with pytest.raises(InvalidInput, match="already"):
        store.move("mail", "mail")


# MOVE-1
def test_a_full_queue_takes_what_is_moved(store: Store, queue: Queue) -> None:
    queue.enqueue_many({"body": b"work"} for _ in range(3))
    store.queue("post", max_rows=1)

    assert all(store.move_many([1, 2, 3], "post"))
    assert store.queue("post").stats().ready == 3
