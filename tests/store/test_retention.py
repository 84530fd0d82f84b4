"""How long what is remembered: keys until their retention ends, bodies until they are done."""

from __future__ import annotations

import pytest

from fencepost import Queue, Store
from fencepost.store.types.messages.draft import Address, Draft

from ..clock import FakeClock


# SCHEMA-8, QUEUE-3, INPUT-2, RETAIN-4, FP-1
@pytest.mark.parametrize("ending", ["ack", "bury", "cancel"])
def test_a_key_is_kept_until_its_retention_has_ended(
    queue: Queue, store: Store, clock: FakeClock, ending: str
) -> None:
    queue.enqueue(b"work", key="k", keep_for=60)
    clock.advance(600)  # while the work goes on, no retention runs
    if ending == "cancel":
        store.cancel(1)
    else:
        (claim,) = queue.claim()
        claim.ack() if ending == "ack" else claim.bury("no")
    clock.advance(59.999)

    assert queue.enqueue(b"work", key="k", keep_for=60).status == "duplicate"
    clock.advance(0.001)
    assert queue.enqueue(b"work", key="k", keep_for=60).status == "accepted"
    assert [(found.id, found.state) for found in store.deliveries()] == [(2, "ready")]


def test_a_key_kept_for_no_time_is_forgotten_with_its_work(queue: Queue) -> None:
    queue.enqueue(b"work", key="k", keep_for=0)
    assert queue.enqueue(b"work", key="k", keep_for=0).status == "duplicate"
    (claim,) = queue.claim()
    claim.ack()

    assert queue.enqueue(b"work", key="k", keep_for=0).status == "accepted"


def test_a_replayed_message_is_not_forgotten_in_its_work(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"work", key="k", keep_for=60)
    (claim,) = queue.claim()
    claim.bury("no")
    clock.advance(59)
    store.replay(claim.id)
    clock.advance(600)

    assert queue.enqueue(b"work", key="k").status == "duplicate"
    (again,) = queue.claim()
    assert again.message.body == b"work"


# CLAIM-35, INPUT-10, GC-1, GC-5, ATT-7, INGRESS-3, INGRESS-9
def test_what_is_done_keeps_no_body_and_what_is_not_does(queue: Queue, store: Store) -> None:
    queue.enqueue_many({"body": b"work %d" % n} for n in range(3))
    done, dead = queue.claim(limit=2)
    done.ack({"ok": True})
    dead.bury("no")
    store.cancel(3)

    contents = [store.content(id) for id in (1, 2, 3)]

    assert [content and content.body for content in contents] == [None, b"work 1", b"work 2"]
    assert contents[0] is not None
    assert contents[0].result == {"ok": True}


# RETAIN-3, GC-1
def test_of_several_deliveries_the_last_to_end_decides(store: Store, clock: FakeClock) -> None:
    draft = Draft(
        scope="github",
        source="github",
        key="k",
        event="push",
        headers={},
        body=b"work",
        addresses=[Address("first"), Address("second"), Address("third")],
        keep_ms=60_000,
    )
    store.engine.queue.enqueue([draft])
    (first,) = store.queue("first").claim()
    first.ack()
    clock.advance(3600)
    assert store.engine.queue.enqueue([draft])[0].status == "duplicate"
    (second,) = store.queue("second").claim()
    (third,) = store.queue("third").claim()
    second.ack()
    assert third.message.body == b"work"
    third.ack()
    clock.advance(60)

    assert store.engine.queue.enqueue([draft])[0].status == "accepted"


# TRIG-15
def test_a_message_for_nobody_is_remembered_as_long_as_others(
    store: Store, clock: FakeClock
) -> None:
    draft = Draft("github", "github", "k", "ping", {}, b"", [], keep_ms=60_000)

    assert store.engine.queue.enqueue([draft])[0].status == "accepted"
    clock.advance(59)
    assert store.engine.queue.enqueue([draft])[0].status == "duplicate"
    clock.advance(1)
    assert store.engine.queue.enqueue([draft])[0].status == "accepted"


# BLOB-1, BLOB-2, BLOB-3
@pytest.mark.parametrize("size", [0, 1, 511, 512, 100_000])
@pytest.mark.parametrize("kind", ["repeated", "random"])
def test_a_body_comes_back_as_it_came(queue: Queue, size: int, kind: str) -> None:
    body = b"x" * size if kind == "repeated" else bytes(n * n % 251 for n in range(size))
    queue.enqueue(body)

    (claim,) = queue.claim()

    assert claim.message.body == body


# DRAIN-5
def test_a_hopeless_one_is_dead_at_once(queue: Queue) -> None:
    queue.enqueue(b"work", max_attempts=8, retry_for=3600)
    (claim,) = queue.claim()

    claim.bury("cannot be parsed")

    assert queue.stats().dead == 1
