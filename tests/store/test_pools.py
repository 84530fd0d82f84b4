"""PoolVerbs and workers in the store: who is there, what it is at, what became of it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from fencepost import Claim, LeaseLost, Queue, Store
from fencepost.store.engine.pools.verbs import PoolVerbs, Report
from fencepost.store.sqlite import events
from fencepost.store.types.messages.limits import Limits

from ..clock import FakeClock

IDLE = Report("idle", 0)


@pytest.fixture
def pools(store: Store) -> PoolVerbs:
    """The part of the engine that is tried here."""
    return store.engine.pools


def claim_as(store: Store, worker: int, *, limit: int = 1, **limits: Any) -> list[Claim]:
    leases, _ = store.engine.queue.claim(
        ["mail"],
        limit=limit,
        lease_ms=30_000,
        owner=worker,
        limits={"mail": Limits(**limits)},
    )
    return [Claim(store.engine, leased) for leased in leases]


def crash(store: Store, why: str = "worker process 7 was killed by SIGSEGV") -> Claim:
    """Have a new worker claim one delivery and crash on it."""
    worker = store.engine.pools.register(1)
    (claim,) = claim_as(store, worker)
    store.engine.pools.retire(worker, why, crashed=True)
    return claim


def test_a_pool_is_there_until_it_ends(pools: PoolVerbs, clock: FakeClock) -> None:
    all_queues, some = pools.begin(None, 4), pools.begin(["mail", "fax"], 2)
    clock.advance(5)
    pools.tell(some, state="running", size=3)

    first, second = pools.pools()

    assert (first.id, first.state, first.size, first.queues) == (all_queues, "starting", 4, None)
    assert (second.id, second.state, second.size) == (some, "running", 3)
    assert second.queues == ("mail", "fax")
    assert second.pid == os.getpid()
    assert second.seen_at == second.started_at + 5
    pools.end(all_queues)
    assert [pool.id for pool in pools.pools()] == [some]


def test_pool_ids_are_never_given_twice(pools: PoolVerbs) -> None:
    first = pools.begin(None, 1)
    pools.end(first)

    assert pools.begin(None, 1) > first


# FP-17
def test_the_scale_is_kept(pools: PoolVerbs) -> None:
    assert pools.scale() is None
    pools.set_scale(8)
    assert pools.scale() == 8
    pools.set_scale(None)
    assert pools.scale() is None
    assert [event.detail for event in pools.events(limit=5)] == ["auto", "8"]


def test_a_worker_says_what_it_is_at(
    store: Store, queue: Queue, pools: PoolVerbs, clock: FakeClock
) -> None:
    pool = pools.begin(None, 1)
    worker = pools.register(pool)
    (found,) = store.workers()
    assert (found.id, found.pool, found.state, found.memory) == (worker, pool, "starting", None)
    assert (found.delivery, found.queue, found.busy_since) == (None, None, None)

    queue.enqueue_many({"body": b""} for _ in range(2))
    began = store.engine.clock.now_ms() / 1000
    claims = claim_as(store, worker, limit=2)
    clock.advance(3)
    claims[0].renew(60)
    pools.report({worker: Report("busy", 5, 40_000_000)})

    (found,) = store.workers()
    assert (found.state, found.handled, found.memory) == ("busy", 5, 40_000_000)
    assert (found.delivery, found.queue, found.busy_since) == (1, "mail", began)
    claims[0].ack()
    assert store.workers()[0].delivery == 2
    claims[1].ack()
    assert store.workers()[0].delivery is None


# FP-16
def test_what_became_of_a_worker_is_written_down(
    store: Store, queue: Queue, pools: PoolVerbs
) -> None:
    pool = pools.begin(None, 1)
    worker, other = pools.register(pool), pools.register(pool)
    queue.enqueue(b"")
    (claim,) = claim_as(store, worker)
    pools.report({worker: IDLE})
    pools.report({worker: Report("busy", 0, claimed=(claim.id, claim.fence))})
    pools.report({other: IDLE})
    pools.retire(worker, "killed by SIGKILL", kind="killed")
    pools.retire(worker, "killed by SIGKILL", kind="killed")
    pools.report({worker: IDLE})
    pools.end(pool, "told to stop")

    told = [
        (event.kind, event.delivery, event.fence, event.detail)
        for event in reversed(pools.events(worker=worker, limit=50))
    ]
    assert told == [
        ("started", None, None, None),
        ("ready", None, None, None),
        ("claimed", claim.id, claim.fence, None),
        ("lost", claim.id, claim.fence, "ready"),
        ("killed", None, None, "killed by SIGKILL"),
    ]
    of_pool = pools.events(pool=pool, limit=50)
    assert [event.kind for event in of_pool if event.worker is None] == ["stopped", "started"]
    assert of_pool[0].detail == "told to stop"
    assert {event.pid for event in of_pool} == {os.getpid()}
    assert len(pools.events(limit=3)) == 3


# FP-16
@pytest.mark.sqlite("how many are kept is its own")
def test_of_the_events_the_newest_are_kept(
    store: Store, pools: PoolVerbs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 10)
    for n in range(25):
        pools.set_scale(n)

    assert store.sweep() == 15
    assert [event.detail for event in pools.events(limit=50)] == [str(n) for n in range(24, 14, -1)]
    assert store.sweep() == 0


# LEASE-13
def test_a_workers_leases_are_renewed_together(
    store: Store, queue: Queue, pools: PoolVerbs, clock: FakeClock
) -> None:
    queue.enqueue_many({"body": b""} for _ in range(4))
    worker = pools.register(1)
    assert pools.renew_owned([worker], 30_000) == {}
    lapsed, long, plain = claim_as(store, worker, limit=3)
    (others,) = queue.claim(lease=30)
    long.renew(3600)
    clock.advance(20)
    plain.renew(30)
    clock.advance(10)

    lasts = pools.renew_owned([worker, 99], 40_000)[worker]

    assert lasts == 40_000
    until = store.engine.clock.now_ms() + lasts
    expiries = {found.id: found.expires_at for found in store.deliveries()}
    assert expiries[plain.id] == until / 1000
    assert (expiries[long.id] or 0) > until / 1000 + 3000
    assert expiries[lapsed.id] == lapsed.expires_at
    assert expiries[others.id] == others.expires_at
    assert pools.renew_owned([worker], 1) == {worker: lasts}


def test_what_a_worker_was_not_told_of_is_given_back_and_was_no_attempt(
    store: Store, queue: Queue, pools: PoolVerbs
) -> None:
    queue.enqueue_many({"body": b""} for _ in range(3))
    worker, other = pools.register(1), pools.register(1)
    known, unknown = claim_as(store, worker, limit=2)
    (others,) = claim_as(store, other)

    assert pools.disown(worker, [known.fence]) == 1
    assert pools.disown(worker, [known.fence]) == 0

    states = {found.id: (found.state, found.attempt) for found in store.deliveries()}
    assert states == {
        known.id: ("leased", 1),
        unknown.id: ("ready", 0),
        others.id: ("leased", 1),
    }
    with pytest.raises(LeaseLost):
        unknown.ack()
    assert store.stats()["mail"].ready == 1


# FP-15
def test_a_delivery_that_crashes_its_workers_is_dead_in_the_end(store: Store, queue: Queue) -> None:
    queue.enqueue(b"poison")
    (failed,) = queue.claim()
    failed.retry(0, "ValueError: no")
    for crashes in (1, 2):
        crash(store, f"crash {crashes}")
        found = store.delivery(1)
        assert found is not None
        assert (found.state, found.crashes, found.error) == ("ready", crashes, f"crash {crashes}")

    last = crash(store, "crash 3")

    found = store.delivery(1)
    assert found is not None
    assert (found.state, found.crashes) == ("dead", 3)
    assert found.error == "given up after crash 3: crash 3; before that: crash 2"
    (lost,) = [e for e in store.engine.pools.events(limit=2) if e.kind == "lost"]
    assert (lost.delivery, lost.fence, lost.detail) == (1, last.fence, "dead")

    assert store.replay(1)
    found = store.delivery(1)
    assert found is not None
    assert (found.state, found.crashes) == ("ready", 0)


def test_a_handlers_own_limit_of_crashes_counts(
    store: Store, queue: Queue, pools: PoolVerbs
) -> None:
    queue.enqueue(b"poison")
    worker = pools.register(1)
    claim_as(store, worker, max_crashes=1)

    pools.retire(worker, "it is gone", crashed=True)

    found = store.delivery(1)
    assert found is not None
    assert (found.state, found.error) == ("dead", "given up after crash 1: it is gone")


# FP-15
def test_only_what_a_worker_crashed_on_alone_is_to_blame(
    store: Store, queue: Queue, pools: PoolVerbs
) -> None:
    queue.enqueue_many({"body": b""} for _ in range(2))
    for limit, crashed in ((2, True), (1, False)):
        worker = pools.register(1)
        claim_as(store, worker, limit=limit)
        assert pools.retire(worker, "gone", crashed=crashed).given_back == limit

    assert {found.crashes for found in store.deliveries()} == {0}


def test_attempts_that_are_used_up_are_what_is_told(
    store: Store, queue: Queue, pools: PoolVerbs
) -> None:
    queue.enqueue(b"")
    worker = pools.register(1)
    claim_as(store, worker, max_attempts=1, max_crashes=1)

    pools.retire(worker, "it is gone", crashed=True)

    found = store.delivery(1)
    assert found is not None
    assert (found.state, found.crashes, found.error) == ("dead", 1, "it is gone")


@pytest.mark.parametrize(("policy", "parked"), [("strict", False), ("park", True)])
def test_a_lane_behind_one_that_crashes_does_as_behind_any_dead_one(
    store: Store, queue: Queue, policy: str, parked: bool
) -> None:
    lane = {"lane": "a", "lane_policy": policy}
    queue.enqueue_many([{"body": b"1", **lane}, {"body": b"2", **lane}])
    for _ in range(3):
        crash(store)

    assert [claim.message.body for claim in queue.claim()] == ([] if parked else [b"2"])


def test_a_crashed_workers_late_result_is_taken_for_a_dead_delivery(
    store: Store, queue: Queue
) -> None:
    queue.enqueue(b"")
    for _ in range(2):
        crash(store)
    last = crash(store)
    with pytest.raises(LeaseLost):
        last.renew(30)

    last.ack()

    assert queue.stats().done == 1


def _claimable(store: Store) -> int:
    worker = store.engine.pools.register(1)
    return len(claim_as(store, worker, limit=10))


# FP-15
def test_those_that_one_crash_has_hit_come_back_one_by_one(
    store: Store, queue: Queue, pools: PoolVerbs, clock: FakeClock
) -> None:
    queue.enqueue_many({"body": b""} for _ in range(4))
    worker = pools.register(1)
    claim_as(store, worker, limit=4)

    pools.retire(worker, "it is gone", crashed=True)

    counts = []
    for _ in range(4):
        counts.append(_claimable(store))
        clock.advance(0.25)
    assert counts == [1, 1, 1, 1]
    assert {found.attempt for found in store.deliveries()} == {2}


def test_one_of_a_lane_that_lets_others_go_before_comes_back_behind_them(
    store: Store, queue: Queue, pools: PoolVerbs, clock: FakeClock
) -> None:
    queue.enqueue(b"", key="other")
    for key in ("first", "second"):
        queue.enqueue(b"", key=key, lane="a", lane_policy="skip")
    worker = pools.register(1)
    assert len(claim_as(store, worker, limit=2)) == 2

    pools.retire(worker, "it is gone", crashed=True)

    claims = claim_as(store, pools.register(1), limit=5)
    assert [claim.message.key for claim in claims] == ["other", "second"]


# RETRY-6
def test_one_that_takes_too_long_again_and_again_waits_longer_each_time(
    store: Store, queue: Queue, pools: PoolVerbs, clock: FakeClock
) -> None:
    """It would keep the workers from everything else for as long as it is tried."""
    queue.enqueue(b"")
    for most in (1, 2, 4, 8, 16):
        worker = pools.register(1)
        assert len(claim_as(store, worker)) == 1
        pools.retire(worker, "over its timeout", kind="killed", overdue=1)

        clock.advance(most / 2 - 0.002)
        assert _claimable(store) == 0
        clock.advance(most / 2 + 0.002)


# RETRY-6
def test_one_whose_workers_are_killed_comes_back_at_once_three_times_and_then_waits(
    store: Store, queue: Queue, pools: PoolVerbs, clock: FakeClock
) -> None:
    queue.enqueue(b"")
    for wait in (0, 0, 0, 8, 16):
        worker = pools.register(1)
        assert len(claim_as(store, worker)) == 1
        pools.retire(worker, "worker process 7 is gone", kind="killed")
        if wait:
            clock.advance(wait - 0.001)
            assert _claimable(store) == 0
            clock.advance(0.001)


# FP-15
def test_attempts_at_what_was_in_work_beside_one_that_took_too_long_do_not_count(
    store: Store, queue: Queue, pools: PoolVerbs
) -> None:
    queue.enqueue_many({"body": b"", "key": key} for key in ("slow", "beside", "once"))
    worker = pools.register(1)
    claim_as(store, worker, limit=2)
    claim_as(store, worker, max_attempts=1)

    pools.retire(worker, "killed: its handler was over its timeout", kind="killed", overdue=1)

    found = {each.key: (each.state, each.attempt) for each in store.deliveries()}
    assert found == {"slow": ("ready", 1), "beside": ("ready", 0), "once": ("dead", 1)}
