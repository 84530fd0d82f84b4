"""What operators see and change: counts, lists, replay, cancel, workers, probe."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from fencepost import InvalidInput, LeaseLost, Queue, Store
from fencepost.store.types.messages.draft import Address, Draft

from ..clock import FakeClock


# CLAIM-40, INPUT-1, OUTBOX-1
def test_stats_count_every_state(queue: Queue, store: Store, clock: FakeClock) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(6)])
    done, dead, _leased, back = queue.claim(limit=4)
    done.ack()
    dead.bury("no")
    back.retry(delay=60)
    store.cancel(5)
    clock.advance(7)

    stats = queue.stats()

    assert (stats.ready, stats.scheduled, stats.leased) == (1, 1, 1)
    assert (stats.done, stats.dead, stats.cancelled) == (1, 1, 1)
    assert stats.oldest_ready_age == 7.0
    assert store.stats() == {"mail": stats}


def test_a_retry_that_is_due_counts_as_ready_since_it_was_due(
    queue: Queue, clock: FakeClock
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    claim.retry(delay=60)
    clock.advance(65)

    stats = queue.stats()

    assert (stats.ready, stats.scheduled, stats.oldest_ready_age) == (1, 0, 5.0)


# QUEUE-8, CLAIM-39
def test_new_and_other_ready_ones_are_claimed_and_listed_as_one(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(4)])
    first, second = queue.claim(limit=2)
    clock.advance(10)
    second.release()
    first.retry(delay=None)
    queue.enqueue(b"4", priority=-1)
    queue.enqueue(b"5", priority=2)
    queue.enqueue(b"6", delay=5)
    queue.enqueue(b"7")
    clock.advance(20)

    ages, order = [queue.stats().oldest_ready_age], []
    listed = [found.id for found in store.deliveries(state="ready")]
    page = [found.id for found in store.deliveries(state="ready", limit=3, before=6)]
    while claims := queue.claim():
        order += [claim.message.body for claim in claims]
        ages.append(queue.stats().oldest_ready_age)

    assert listed == [8, 7, 6, 5, 4, 3, 2, 1]
    assert page == [5, 4, 3]
    assert order == [b"5", b"0", b"1", b"2", b"3", b"6", b"7", b"4"]
    assert ages == [30.0, 30.0, 30.0, 30.0, 30.0, 20.0, 20.0, 20.0, 0.0]


# CLAIM-39, INGRESS-13
def test_a_list_has_the_newest_first_and_knows_filters(queue: Queue, store: Store) -> None:
    queue.enqueue_many([{"body": b"%d" % n, "key": f"k{n}"} for n in range(4)])
    store.queue("other").enqueue(b"else")
    (claim,) = queue.claim()
    claim.bury("no")

    assert [found.id for found in store.deliveries(limit=3)] == [5, 4, 3]
    assert [found.key for found in store.deliveries(state="dead")] == ["k0"]
    assert [found.queue for found in store.deliveries(queue="other")] == ["other"]
    assert store.deliveries(state="dead", queue="other") == []
    with pytest.raises(InvalidInput):
        store.deliveries(state="lost")
    with pytest.raises(InvalidInput):
        store.deliveries(limit=0)


def webhook(store: Store, source: str, event: str, key: str, *queues: str) -> None:
    addresses = [Address(queue) for queue in queues]
    store.engine.queue.enqueue([Draft(source, source, key, event, {}, b"work", addresses)])


# FIND-1
def test_a_list_is_narrowed_down_by_what_its_messages_are(store: Store, clock: FakeClock) -> None:
    began = clock.wall
    webhook(store, "github", "push", "k1", "deploy", "notify")
    clock.advance(3600)
    webhook(store, "github", "pull_request.opened", "k2", "deploy")
    webhook(store, "stripe", "push", "k1", "deploy")
    (claim, *_) = store.queue("deploy").claim(limit=3)
    claim.bury("HTTPError: Connection refused by 10.0.0.1")

    def ids(**wanted: Any) -> list[int]:
        return [found.id for found in store.deliveries(**wanted)]

    assert ids(source="github") == [3, 2, 1]
    assert ids(source="github", queue="deploy") == [3, 1]
    assert ids(key="k1") == [4, 2, 1]
    assert ids(key="k1", source="stripe") == [4]
    assert ids(event="push") == [4, 2, 1]
    assert ids(event="pull_request") == ids(event="pull_*") == ids(event="[!a-o]ull*") == [3]
    assert ids(error="connection REFUSED") == [1]
    assert ids(message=1) == [2, 1]
    assert ids(message=1, state="dead") == [1]
    assert ids(since=timedelta(minutes=30)) == ids(since=(began + 1_000) / 1000) == [4, 3]
    assert ids(since=timedelta(hours=2), source="github", state="leased") == [3]
    assert ids(since=timedelta(0)) == [4, 3]
    assert ids(event="nothing") == ids(source="nobody") == ids(key="k9") == ids(message=9) == []


# FIND-1
def test_what_is_scheduled_is_listed_apart_and_among_the_ready(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue_many({"body": b"", "delay": delay} for delay in (0, 10, 60))
    store.queue("other").enqueue(b"", delay=60)
    clock.advance(10)

    assert [found.id for found in store.deliveries(state="scheduled")] == [4, 3]
    assert [found.id for found in store.deliveries(state="scheduled", queue="mail")] == [3]
    assert [found.id for found in store.deliveries(state="ready")] == [4, 3, 2, 1]


# FIND-1
def test_a_list_of_a_time_has_what_was_replayed_routed_or_copied_since(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    store.queue("mail", keep_body_for=86_400)
    for n in range(20):
        queue.enqueue(b"%d" % n)
        clock.advance(600)
    queue.ack_many(queue.claim(limit=10))
    store.cancel(15)
    assert all(store.replay_many([3, 9, 15]))

    found = store.deliveries(since=timedelta(hours=1, minutes=1))

    assert [each.id for each in found] == [20, 19, 18, 17, 16, 15]


@pytest.mark.parametrize(
    "wanted",
    [
        {"source": ""},
        {"key": ""},
        {"event": 5},
        {"error": "a\nb"},
        {"since": "yesterday"},
        {"since": float("nan")},
        {"since": datetime(2026, 11, 30)},
        {"message": 0},
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(store: Store, wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        store.deliveries(**wanted)


# FIND-1
@pytest.mark.parametrize("state", ["ready", "dead", "done", "scheduled"])
def test_all_that_a_list_would_have_is_gone_through(store: Store, state: str) -> None:
    for name in ("a", "b"):
        queue = store.queue(name)
        queue.enqueue_many({"body": b""} for _ in range(700))
        for claim in queue.claim(limit=600):
            claim.ack() if claim.id % 2 else claim.bury("no")
        queue.enqueue_many({"body": b"", "delay": 60} for _ in range(600))

    ids = [found.id for found in store.each_delivery(state=state)]

    listed = [found.id for found in store.deliveries(state=state, limit=10_000)]
    assert sorted(ids, reverse=True) == listed
    assert len(ids) == {"ready": 1400, "dead": 600, "done": 600, "scheduled": 1200}[state]


# OUTBOX-7
def test_a_replayed_dead_letter_starts_anew_and_shuts_out_its_old_holder(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"work", key="k")
    (claim,) = queue.claim()
    claim.bury("no")

    assert store.replay(claim.id)

    with pytest.raises(LeaseLost):
        claim.ack()
    (again,) = queue.claim()
    assert again.attempt == 1
    assert again.fence > claim.fence


# OUTBOX-7
def test_only_the_dead_and_the_cancelled_are_replayed(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")

    assert not store.replay(1)
    (claim,) = queue.claim()
    assert not store.replay(1)
    claim.ack()
    assert not store.replay(1)
    assert not store.replay(99)
    assert queue.stats().done == 1


# CONN-6, CLAIM-38, INPUT-4, COMMIT-11, PLEASE-8, INGRESS-10
def test_an_outcome_says_what_stood_in_the_way(queue: Queue, store: Store) -> None:
    queue.enqueue_many({"body": b"%d" % n} for n in range(4))
    done, dead, leased = queue.claim(limit=3)
    done.ack()
    dead.bury("no")

    cancelled = [store.cancel(id).kind for id in (done.id, dead.id, leased.id, 4, 4, 99)]
    replayed = [store.replay(id).kind for id in (done.id, dead.id, leased.id, 4, 4, 99)]

    assert cancelled == [
        *("completed", "cancelled", "claimed"),
        *("cancelled", "already_cancelled", "not_found"),
    ]
    assert replayed == [
        *("unrecoverable", "replayed", "claimed"),
        *("replayed", "active", "not_found"),
    ]


def test_a_cancelled_delivery_is_never_claimed_and_keeps_its_key(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"work", key="k")

    assert store.cancel(1)

    assert queue.claim() == []
    assert queue.enqueue(b"work", key="k").state == "cancelled"
    assert not store.cancel(1)


def test_a_leased_delivery_is_not_cancelled(queue: Queue, store: Store) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()

    assert not store.cancel(claim.id)

    claim.ack()


@pytest.mark.parametrize("reaped", [True, False])
def test_cancelling_an_expired_claim_revokes_it(
    queue: Queue, store: Store, clock: FakeClock, reaped: bool
) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim(lease=1)
    clock.advance(1)
    if reaped:
        store.queue("other").claim()

    assert store.cancel(claim.id)

    with pytest.raises(LeaseLost) as refused:
        claim.ack()
    assert refused.value.cause == "revoked"


def test_cancelling_an_expired_claim_lets_its_lane_go_on(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue_many([{"body": b"1", "lane": "a"}, {"body": b"2", "lane": "a"}])
    (first,) = queue.claim(lease=1)
    clock.advance(1)

    assert store.cancel(first.id)

    (second,) = queue.claim()
    assert second.message.body == b"2"


# LEASE-13, INPUT-6
def test_a_dead_workers_claims_are_given_back_at_once(
    queue: Queue, store: Store, clock: FakeClock
) -> None:
    queue.enqueue_many([{"body": b"1"}, {"body": b"2"}])
    worker = store.engine.pools.register(1)
    store.engine.queue.claim(["mail"], limit=1, lease_ms=3_600_000, owner=worker)
    queue.claim(lease=3600)

    left = store.engine.pools.retire(worker, "worker process 7 was killed by SIGKILL")

    (claim,) = queue.claim(limit=5)
    assert left == (1, [])
    assert claim.attempt == 2
    delivery = store.delivery(claim.id)
    assert delivery is not None
    assert delivery.error == "worker process 7 was killed by SIGKILL"
    assert store.workers() == []


# SCHEMA-8, INGRESS-14
def test_worker_ids_are_never_given_twice(store: Store) -> None:
    first = store.engine.pools.register(1)
    store.engine.pools.retire(first, "gone")

    assert store.engine.pools.register(1) > first


# KV-13
@pytest.mark.sqlite("what is tried is its own")
def test_a_probe_tries_each_ability(store: Store) -> None:
    report = store.probe()

    assert report.ok
    names = [step.name for step in report.steps]
    assert names == [
        "sqlite",
        "permissions",
        "place",
        "writer",
        "write",
        "checkpoint",
        "wal",
        "clock",
    ]
    assert store.engine.upkeep.integrity().ok
    assert store.stats() == {}


# LEASE-23
@pytest.mark.sqlite("its clock is this machine's")
@pytest.mark.parametrize("step_ms", [-90_000, 90_000])
def test_a_wall_clock_that_is_far_off_the_stores_is_a_warning(
    store: Store, clock: FakeClock, step_ms: int
) -> None:
    def warns() -> bool:
        (step,) = (step for step in store.probe().steps if step.name == "clock")
        assert step.ok
        return step.warning

    assert not warns()
    clock.wall += step_ms

    assert warns()


@pytest.mark.parametrize("id", [None, "1", 1.0, True, 0, -1, 2**63, object()])
def test_what_is_no_id_is_refused(store: Store, id: Any) -> None:
    for verb in (store.delivery, store.content, store.replay, store.cancel):
        with pytest.raises(InvalidInput, match="id must be"):
            verb(id)


@pytest.mark.parametrize("queue", ["", 5, "\ud800", object()])
def test_what_is_no_queues_name_has_no_deliveries_to_list(store: Store, queue: Any) -> None:
    with pytest.raises(InvalidInput):
        store.deliveries(queue=queue)
