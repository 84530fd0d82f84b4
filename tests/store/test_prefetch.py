"""Claiming ahead: more than one caller handles at once, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fencepost import Claim, LeaseLost, Queue, Store
from fencepost.store.engine import Hold
from fencepost.store.types.messages.limits import Limits
from fencepost.store.types.worker import Progress

from ..clock import FakeClock

ONCE = Limits(max_attempts=1, at_most_once=True)


def _ahead(
    store: Store,
    most: dict[str, int],
    *,
    worker: int | None = None,
    acks: Sequence[Hold] = (),
    releases: Sequence[Hold] = (),
    limits: Limits | None = None,
) -> list[Claim]:
    leases, refused = store.engine.queue.claim(
        list(most),
        limit=100,
        lease_ms=30_000,
        owner=worker,
        limits=dict.fromkeys(most, limits) if limits else None,
        acks=[(hold, None) for hold in acks],
        releases=releases,
        prefetch=most,
    )
    assert refused == []
    return [Claim(store.engine, leased) for leased in leases]


def _enqueue(store: Store, queue: str, count: int) -> None:
    store.queue(queue).enqueue_many([{"body": b""}] * count)


def _worker(store: Store) -> int:
    return store.engine.pools.register(store.engine.pools.begin(None, 1))


def _standing(store: Store) -> dict[int, tuple[str, int, int]]:
    return {each.id: (each.state, each.attempt, each.crashes) for each in store.deliveries()}


# PREFETCH-1
def test_what_is_claimed_ahead_is_of_one_queue_and_at_most_so_many(store: Store) -> None:
    _enqueue(store, "mail", 5)
    _enqueue(store, "fax", 5)

    first = _ahead(store, {"none": 9, "mail": 3, "fax": 9})
    second = _ahead(store, {"none": 9, "mail": 3, "fax": 9})
    third = _ahead(store, {"none": 9, "mail": 3, "fax": 9})

    assert [each.queue for each in first] == ["mail"] * 3
    assert [each.queue for each in second] == ["mail"] * 2
    assert [each.queue for each in third] == ["fax"] * 5


# PREFETCH-2
def test_where_few_may_be_leased_only_one_is_claimed_ahead(store: Store) -> None:
    store.queue("mail", max_leased=3)
    _enqueue(store, "mail", 5)

    claims = [_ahead(store, {"mail": 9}) for _ in range(4)]

    assert [len(each) for each in claims] == [1, 1, 1, 0]


# PREFETCH-1
def test_of_a_lane_one_is_claimed_ahead(store: Store) -> None:
    queue = store.queue("mail")
    queue.enqueue_many([{"body": b"", "lane": lane} for lane in "aabb"])

    assert [each.id for each in _ahead(store, {"mail": 9})] == [1, 3]


# PREFETCH-3
def test_what_is_not_begun_is_given_back_with_the_next_claim(store: Store) -> None:
    _enqueue(store, "mail", 4)
    done, second, third, last = _ahead(store, {"mail": 9})
    assert [last.id, *(each.attempt for each in (done, second, third))] == [4, 1, 1, 1]

    again = _ahead(store, {"mail": 2}, acks=[done.hold], releases=[second.hold, third.hold])

    assert [(each.id, each.attempt) for each in again] == [(2, 1), (3, 1)]
    assert _standing(store)[1][0] == "done"
    with pytest.raises(LeaseLost):
        second.ack()


# PREFETCH-3
def test_giving_back_what_another_has_claimed_since_changes_nothing(
    store: Store, clock: FakeClock
) -> None:
    _enqueue(store, "mail", 1)
    (late,) = _ahead(store, {"mail": 9})
    clock.advance(31)
    (newer,) = _ahead(store, {"mail": 9})

    assert _ahead(store, {"mail": 9}, releases=[late.hold, late.hold]) == []

    newer.ack()
    assert _standing(store) == {1: ("done", 2, 0)}


# PREFETCH-3
def test_a_first_attempt_that_was_given_back_begins_no_time(
    store: Store, queue: Queue, clock: FakeClock
) -> None:
    hour = Limits(retry_for_ms=3_600_000)
    queue.enqueue(b"")
    (early,) = _ahead(store, {"mail": 9}, limits=hour)
    early.release()
    clock.advance(3_590)
    (first,) = _ahead(store, {"mail": 9}, limits=hour)
    clock.advance(20)

    assert first.retry(0)


# PREFETCH-5
def test_what_a_stuck_worker_has_not_begun_is_taken_from_it(store: Store) -> None:
    _enqueue(store, "mail", 3)
    worker, other = _worker(store), _worker(store)
    begun, *rest = _ahead(store, {"mail": 9}, worker=worker)

    taken = store.engine.pools.take_back(worker, [each.fence for each in rest])
    again = store.engine.pools.take_back(worker, [each.fence for each in rest])

    assert (taken, again) == (2, 0)
    assert _standing(store) == {1: ("leased", 1, 0), 2: ("ready", 0, 0), 3: ("ready", 0, 0)}
    assert store.engine.pools.take_back(other, [begun.fence]) == 0
    for each in rest:
        with pytest.raises(LeaseLost):
            each.ack()
    assert len(_ahead(store, {"mail": 9}, worker=other)) == 2
    begun.ack()


# PREFETCH-5
def test_what_a_stuck_worker_has_done_is_acknowledged_and_its_own_ack_is_a_repeat(
    store: Store,
) -> None:
    _enqueue(store, "mail", 4)
    worker = _worker(store)
    done, acked, begun, unbegun = _ahead(store, {"mail": 9}, worker=worker)
    acked.ack()

    taken = store.engine.pools.take_back(worker, [unbegun.fence], [done.fence, acked.fence, 7000])

    assert taken == 1
    assert [state for state, *_ in _standing(store).values()].count("done") == 2
    assert _standing(store)[begun.id] == ("leased", 1, 0)
    done.ack()
    assert _standing(store)[done.id] == ("done", 1, 0)
    assert store.stats()["mail"].done == 2


def _ended(store: Store, *, crashed: bool = False, overdue: int | None = None) -> Claim:
    """Have a worker end that had one of each: done, ended, running, unbegun, not even noted.

    Returns the claim of the first.
    """
    _enqueue(store, "mail", 5)
    worker = _worker(store)
    done, ended, _, unbegun, unknown = _ahead(store, {"mail": 9}, worker=worker)
    progress = Progress(
        unknown.fence - 1, unbegun={unbegun.fence}, done={done.fence}, ended={ended.fence}
    )
    retired = store.engine.pools.retire(
        worker, "it ended", crashed=crashed, overdue=overdue, progress=progress
    )
    assert retired == (4, [done.id])
    return done


# PREFETCH-6
def test_a_crash_is_blamed_on_what_had_begun_alone(store: Store) -> None:
    _ended(store, crashed=True)

    assert _standing(store) == {
        1: ("done", 1, 0),
        2: ("ready", 1, 0),
        3: ("ready", 1, 1),
        4: ("ready", 0, 0),
        5: ("ready", 0, 0),
    }


# PREFETCH-6
def test_beside_one_over_its_time_what_was_not_begun_is_ready_and_what_was_done_is_done(
    store: Store,
) -> None:
    _ended(store, overdue=3)

    assert _standing(store) == {
        1: ("done", 1, 0),
        2: ("ready", 1, 0),
        3: ("ready", 1, 0),
        4: ("ready", 0, 0),
        5: ("ready", 0, 0),
    }
    assert store.stats()["mail"].scheduled == 1
    assert store.stats()["mail"].leased == 0


# PREFETCH-6
def test_several_that_had_begun_come_back_one_by_one_and_the_others_at_once(store: Store) -> None:
    _enqueue(store, "mail", 4)
    worker = _worker(store)
    claims = _ahead(store, {"mail": 9}, worker=worker)
    progress = Progress(claims[-1].fence, unbegun={claims[0].fence, claims[2].fence})

    store.engine.pools.retire(worker, "it ended", crashed=True, progress=progress)

    assert {each.crashes for each in store.deliveries()} == {0}
    assert store.stats()["mail"].scheduled == 1
    assert [each.id for each in _ahead(store, {"mail": 9})] == [1, 2, 3]


# PREFETCH-6
def test_an_only_attempt_that_was_not_begun_is_not_over(store: Store) -> None:
    _enqueue(store, "mail", 2)
    worker = _worker(store)
    begun, unbegun = _ahead(store, {"mail": 9}, worker=worker, limits=ONCE)

    store.engine.pools.retire(
        worker, "it ended", crashed=True, progress=Progress(begun.fence, {unbegun.fence})
    )

    assert _standing(store) == {1: ("dead", 1, 1), 2: ("ready", 0, 0)}


# PREFETCH-6
def test_a_late_ack_of_what_was_done_for_a_dead_worker_is_a_repeat(store: Store) -> None:
    done = _ended(store)

    done.ack()

    assert _standing(store)[1] == ("done", 1, 0)
