"""Ending a claim: done, once more, later, or dead."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost import InvalidInput, LeaseLost, LimitExceeded, Queue, Store

from ..clock import FakeClock


# CLAIM-35, PLEASE-4
def test_an_acked_delivery_is_done_and_stays_on_record(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work", key="k")
    (claim,) = queue.claim()

    claim.ack([1, "two"])

    delivery = store.delivery(claim.id)
    assert delivery is not None
    assert (delivery.state, delivery.fence, delivery.holder) == ("done", claim.fence, None)
    assert queue.claim() == []


# CLAIM-37, COMMIT-2, EVENT-2, WAKE-2, FP-6
def test_each_ending_repeated_by_the_same_lease_is_one(queue: Queue) -> None:
    """COMMIT may raise after it has happened, and then the caller tries again."""
    queue.enqueue_many([{"body": b"%d" % n} for n in range(4)])
    acked, retried, released, buried = queue.claim(limit=4)

    for _ in range(2):
        acked.ack()
        assert retried.retry(delay=60)
        released.release()
        buried.bury("no")

    stats = queue.stats()
    assert (stats.done, stats.scheduled, stats.ready, stats.dead) == (1, 1, 1, 1)


# CLAIM-37, EVENT-6
def test_a_claim_settled_one_way_is_not_settled_another(queue: Queue) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    claim.release()

    with pytest.raises(LeaseLost) as refused:
        claim.ack()

    assert refused.value.cause == "settled"
    assert queue.stats().ready == 1


def test_a_result_that_is_not_json_is_refused_and_the_claim_goes_on(queue: Queue) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()

    for result in (object(), {1, 2}, float("nan"), b"bytes"):
        with pytest.raises(InvalidInput):
            claim.ack(result)

    claim.ack("text")
    assert queue.stats().done == 1


# COMMIT-9
def test_a_result_too_large_to_store_is_refused_and_the_claim_goes_on(queue: Queue) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()

    with pytest.raises(LimitExceeded):
        claim.ack("x" * 25 * 1024 * 1024)

    assert queue.stats().leased == 1
    claim.ack("x")
    assert queue.stats().done == 1


# OUTBOX-6
def test_a_failed_delivery_waits_for_its_backoff(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue(b"work")

    for attempt in range(1, 8):
        (claim,) = queue.claim()
        assert claim.attempt == attempt
        assert claim.retry(error="boom")
        clock.advance(2 ** (attempt - 1))

    (claim,) = queue.claim()
    assert claim.attempt == 8


# CLAIM-41, RECOV-4, DEDUPE-11, INGRESS-8
def test_after_its_last_attempt_a_delivery_is_dead_with_its_error(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"work", key="k", max_attempts=8)

    for attempt in range(1, 9):
        (claim,) = queue.claim()
        assert claim.retry(delay=0, error=f"boom {attempt}") == (attempt < 8)

    delivery = store.delivery(claim.id)
    assert delivery is not None
    assert (delivery.state, delivery.error, delivery.attempt) == ("dead", "boom 8", 8)
    assert queue.claim() == []
    assert queue.enqueue(b"work", key="k").state == "dead"


# CLAIM-41, RECOV-2, INGRESS-11
def test_a_delivery_whose_workers_only_ever_die_is_dead_too(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue(b"poison", max_attempts=8)

    for _ in range(8):
        (claim,) = queue.claim(lease=1)
        clock.advance(1)

    assert queue.claim() == []
    (delivery,) = store.deliveries(state="dead")
    assert delivery.error is not None
    assert "lease expired" in delivery.error
    for late in (claim.retry, claim.release, lambda: claim.bury("no"), lambda: claim.renew(30)):
        with pytest.raises(LeaseLost) as refused:
            late()
        assert refused.value.cause == "revoked"


# CLAIM-34
@pytest.mark.parametrize("way", ["ack", "transaction"])
def test_work_done_too_late_for_its_last_attempt_is_done_while_nobody_has_touched_it(
    queue: Queue, store: Store, clock: FakeClock, way: str
) -> None:
    for key in ("a", "b"):
        queue.enqueue(b"", key=key, max_attempts=1, lane="one", lane_policy="park")
    (claim,) = queue.claim(lease=1)
    clock.advance(1)
    assert queue.claim() == []
    assert queue.stats().dead == 1

    if way == "ack":
        claim.ack({"ok": True})
        claim.ack({"ok": True})
    else:
        with claim.transaction():
            store.keyed("test", "effects").register("n", 1)

    assert (queue.stats().done, queue.stats().dead) == (1, 0)
    assert [claim.message.key for claim in queue.claim()] == ["b"]


def test_it_is_refused_once_an_operator_has_touched_it(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue_many({"body": b"", "max_attempts": 1} for _ in range(2))
    replayed, cancelled = queue.claim(limit=2, lease=1)
    clock.advance(1)
    assert queue.claim() == []
    assert store.replay(replayed.id)
    assert store.cancel(cancelled.id)

    for claim in (replayed, cancelled):
        with pytest.raises(LeaseLost) as refused:
            claim.ack()
        assert refused.value.cause == "revoked"


# CLAIM-31, CLAIM-32, INGRESS-8, FP-9
def test_a_released_delivery_has_not_been_attempted(queue: Queue) -> None:
    queue.enqueue(b"work")

    for _ in range(20):
        (claim,) = queue.claim()
        assert claim.attempt == 1
        claim.release()

    assert queue.stats().ready == 1


# CLAIM-13, CLAIM-33
def test_many_are_acked_at_once_and_the_lost_are_named(queue: Queue, clock: FakeClock) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(3)])
    claims = queue.claim(limit=3, lease=10)
    claims[1].renew(5)
    clock.advance(10)
    (taken,) = queue.claim(limit=1)

    refused = queue.ack_many(claims)

    assert refused == [claims[0]]
    assert taken.id == claims[0].id
    assert queue.stats().done == 2


@pytest.mark.parametrize(
    ("others", "says"),
    [(None, "claims must be iterable"), ([1], "claim 1 must be a Claim, not 1"), ("a", "claim 1")],
)
def test_of_many_to_ack_one_that_is_no_claim_is_refused_and_none_is_acked(
    queue: Queue, others: Any, says: str
) -> None:
    queue.enqueue(b"work")
    given: Any = queue.claim()

    with pytest.raises(InvalidInput, match=says):
        queue.ack_many(others and [*given, *others])

    assert queue.stats().leased == 1


def test_ack_and_claim_in_one_call_settle_first(queue: Queue, store: Store) -> None:
    queue.enqueue(b"one", lane="a")
    queue.enqueue(b"two", lane="a")
    (first,) = queue.claim()

    leases, refused = store.engine.queue.claim(
        ["mail"], limit=1, lease_ms=1000, acks=[(first.hold, '"done"')]
    )

    assert refused == []
    assert [leased.message.body for leased in leases] == [b"two"]
    assert store.queue("mail").stats().done == 1


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


# EVENT-12
@pytest.mark.parametrize("error", ["half \ud83d of a character", "nul \0", "x" * 10_000])
def test_whatever_an_error_says_is_stored(queue: Queue, store: Store, error: str) -> None:
    queue.enqueue_many([{"body": b"1"}, {"body": b"2"}])
    retried, buried = queue.claim(limit=2)

    retried.retry(error=error)
    buried.bury(error)

    said = [delivery.error or "" for delivery in store.deliveries()]
    assert [text[:4] for text in said] == [error[:4]] * 2
    assert all(len(text) <= 4000 for text in said)


def test_an_error_that_cannot_be_told_is_named(queue: Queue, store: Store) -> None:
    queue.enqueue(b"1")
    (claim,) = queue.claim()

    claim.bury(_Unspeakable())  # type: ignore[arg-type]

    (delivery,) = store.deliveries()
    assert delivery.error == "_Unspeakable, whose message raises RuntimeError"
