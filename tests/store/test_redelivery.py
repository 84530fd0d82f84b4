"""A message that the sender delivers once more, because it was not handled the first time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fencepost import LeaseLost, QueueFull, Store
from fencepost.store.types.messages.draft import Address

from ..kits import Kit
from .deliveries import claim, deliver, draft, states


# REDELIVER-1
def test_a_dead_delivery_is_ready_again_and_its_attempts_count_anew(store: Store) -> None:
    first = deliver(store)
    dead = claim(store, max_attempts=1)
    assert not dead.retry(error="down")

    again = deliver(store)

    assert (again.status, again.state, again.helped) == ("accepted", "ready", "revived")
    assert again.message_id == first.message_id
    revived = claim(store)
    assert (revived.id, revived.attempt, revived.message.body) == (dead.id, 1, b"the body")
    with pytest.raises(LeaseLost):
        dead.ack()
    revived.ack()
    assert deliver(store).status == "duplicate"


# REDELIVER-1
def test_it_is_noted_what_a_redelivery_has_helped(store: Store) -> None:
    deliver(store)
    claim(store).bury("no")

    deliver(store)

    (event,) = [event for event in store.events() if event.kind == "revived"]
    assert event.delivery == store.deliveries()[0].id


# REDELIVER-2
def test_only_what_is_dead_of_a_message_is_tried_again(store: Store) -> None:
    queues = ("dead", "done", "ready", "leased", "cancelled")
    addresses = [Address(queue) for queue in queues]
    deliver(store, addresses)
    claim(store, "dead").bury("no")
    claim(store, "done").ack({"ok": True})
    held = claim(store, "leased")
    store.cancel(next(row.id for row in store.deliveries(queue="cancelled")))

    again = deliver(store, addresses)

    assert again.status == "accepted"
    assert states(store) == {
        "dead": "ready",
        "done": "done",
        "ready": "ready",
        "leased": "leased",
        "cancelled": "cancelled",
    }
    held.ack()
    assert deliver(store, addresses).status == "duplicate"


# REDELIVER-3
@pytest.mark.parametrize("declared", ["at enqueue", "at the claim", "since"])
def test_what_may_be_begun_once_is_not_begun_again(store: Store, declared: str) -> None:
    if declared == "at enqueue":
        deliver(store, [Address("deploy", max_attempts=1, at_most_once=True)])
        claim(store).bury("it may have happened")
    elif declared == "at the claim":
        deliver(store)
        claim(store, max_attempts=1, at_most_once=True).bury("it may have happened")
    else:
        deliver(store)
        claim(store).bury("it may have happened")

    since = [Address("deploy", at_most_once=declared == "since")]
    assert deliver(store, since).status == "duplicate"
    assert states(store) == {"deploy": "dead"}


# REDELIVER-3
def test_what_an_operator_has_cancelled_stays_cancelled(store: Store) -> None:
    deliver(store)
    claim(store).bury("no")
    store.cancel(store.deliveries()[0].id)

    assert deliver(store).status == "duplicate"
    assert states(store) == {"deploy": "cancelled"}


# REDELIVER-4
def test_a_source_may_want_redeliveries_ignored(store: Store) -> None:
    deliver(store)
    deliver(store, (), key="event-2")
    claim(store).bury("no")

    for key in ("event-1", "event-2"):
        assert deliver(store, key=key, redelivery="ignore").status == "duplicate"

    assert states(store) == {"deploy": "dead"}


# REDELIVER-4
def test_enqueueing_a_job_again_leaves_it_dead(store: Store) -> None:
    queue = store.queue("mail")
    queue.enqueue(b"work", key="k")
    claim(store, "mail").bury("no")

    receipt = queue.enqueue(b"work", key="k")

    assert (receipt.status, receipt.state) == ("duplicate", "dead")


# REDELIVER-5
def test_another_body_changes_nothing(store: Store) -> None:
    deliver(store)
    claim(store).bury("no")
    deliver(store, (), key="event-2")

    for key in ("event-1", "event-2"):
        assert deliver(store, key=key, body=b"another").status == "conflict"

    assert states(store) == {"deploy": "dead"}
    assert len(store.unrouted()) == 1


# REDELIVER-6
def test_without_room_nothing_of_it_is_changed(store: Store) -> None:
    addresses = [Address("roomy"), Address("full")]
    store.queue("full", max_rows=1)
    deliver(store, addresses)
    for queue in ("roomy", "full"):
        claim(store, queue).bury("no")
    deliver(store, (), key="unrouted")
    store.queue("full").enqueue(b"another")

    for key in ("event-1", "unrouted"):
        with pytest.raises(QueueFull):
            deliver(store, addresses, key=key)
        (answer,) = store.engine.queue.enqueue_each([draft(addresses, key=key)])
        assert isinstance(answer, QueueFull)

    assert [row.state for row in store.deliveries(queue="roomy")] == ["dead"]
    claim(store, "full").ack()
    assert deliver(store, addresses).status == "accepted"


# REDELIVER-7
@pytest.mark.parametrize("policy", ["strict", "skip", "park"])
def test_it_takes_its_place_in_its_lane(store: Store, policy: Any) -> None:
    laned = [Address("deploy", lane="main", lane_policy=policy)]
    deliver(store, laned)
    claim(store).bury("no")
    deliver(store, laned, key="event-2")

    assert deliver(store, laned).status == "accepted"

    first = claim(store)
    assert first.message.key == ("event-2" if policy != "park" else "event-1")
    first.ack()
    assert claim(store).message.key != first.message.key


# REDELIVER-7
def test_one_that_was_dead_for_want_of_a_lane_gets_the_one_that_there_is_now(store: Store) -> None:
    refused = Address("deploy", refused="no lane: KeyError: 'repository'")
    deliver(store, [refused])
    assert deliver(store, [refused]).status == "duplicate"

    assert deliver(store, [Address("deploy", lane="main")]).status == "accepted"

    (row,) = store.deliveries()
    assert (row.state, row.lane) == ("ready", "main")


# REDELIVER-9
def test_of_many_redeliveries_at_once_one_helps(kit: Kit) -> None:
    with kit.open() as store:
        deliver(store)
        claim(store).bury("no")
        answers: list[str] = []

        def again() -> None:
            with kit.open() as mine:
                answers.append(deliver(mine).status)

        threads = [threading.Thread(target=again) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(answers) == ["accepted"] + ["duplicate"] * 5
        assert states(store) == {"deploy": "ready"}


# REDELIVER-9
def test_one_that_comes_before_the_burial_is_a_duplicate_and_one_after_it_helps(
    store: Store,
) -> None:
    deliver(store)
    held = claim(store)

    assert deliver(store).status == "duplicate"
    held.bury("no")
    assert deliver(store).status == "accepted"
