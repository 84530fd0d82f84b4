"""Joins of which the newest message is handed over: the others end with it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fencepost import Claim, LeaseLost, Store
from fencepost.store.types.messages.draft import Address, Draft, Join
from fencepost.store.types.messages.limits import Limits

from ..clock import FakeClock

_JOIN = Join(5000, 500, latest=True)


def _arrive(store: Store, *keys: str) -> None:
    address = Address("mail", lane="one", lane_policy="latest", join=_JOIN)
    store.engine.queue.enqueue([Draft("s", "s", key, "", {}, b"", [address]) for key in keys])


def _claim(store: Store, limits: Mapping[str, Limits] | None = None) -> Claim:
    (leased,), _ = store.engine.queue.claim(
        ["mail"], limit=9, lease_ms=30_000, owner=1, limits=limits, joins={"mail": 500}
    )
    claim = Claim(store.engine, leased)
    claim.take_newest()
    return claim


def _states(store: Store) -> list[tuple[str, int, str | None]]:
    rows = sorted(store.deliveries(), key=lambda row: row.id)
    return [(row.state, row.attempt, row.error) for row in rows]


# JOIN-9
@pytest.mark.parametrize("how", ["ack", "transaction", "with the next claim"])
def test_the_newest_is_done_and_the_others_are_superseded(
    store: Store, clock: FakeClock, how: str
) -> None:
    _arrive(store, "a", "b", "c")
    clock.advance(5)
    claim = _claim(store)
    assert [message.key for message in claim.messages] == ["c"]
    _arrive(store, "d")

    for _ in range(1 if how == "transaction" else 2):
        if how == "ack":
            claim.ack({"n": 1})
        elif how == "transaction":
            with claim.transaction():
                pass
        else:
            _, refused = store.engine.queue.claim(
                [], limit=1, lease_ms=1, acks=[(claim.hold, None)]
            )
            assert refused == []

    superseded = ("cancelled", 1, "superseded by d3")
    assert _states(store) == [superseded, superseded, ("done", 1, None), ("ready", 0, None)]
    clock.advance(5)
    assert [message.key for message in _claim(store).messages] == ["d"]


# JOIN-9
def test_a_failure_is_of_the_newest_and_a_newer_one_comes_next(
    store: Store, clock: FakeClock
) -> None:
    _arrive(store, "a", "b")
    clock.advance(5)
    claim = _claim(store)
    assert claim.retry(10, "no")
    assert claim.retry(10, "no")
    _arrive(store, "c")
    assert _states(store) == [("ready", 0, None), ("ready", 1, "no"), ("ready", 0, None)]
    clock.advance(10)

    again = _claim(store)
    assert [message.key for message in again.messages] == ["c"]
    again.ack()

    assert [state for state, *_ in _states(store)] == ["cancelled", "cancelled", "done"]


# JOIN-9
@pytest.mark.parametrize("verb", ["retry", "bury"])
def test_what_dies_takes_along_what_it_superseded(
    store: Store, clock: FakeClock, verb: str
) -> None:
    _arrive(store, "a", "b")
    clock.advance(5)
    claim = _claim(store, {"mail": Limits(max_attempts=1)})

    for _ in range(2):
        if verb == "retry":
            assert not claim.retry(10, "no")
        else:
            claim.bury("no")

    assert _states(store) == [("cancelled", 1, "superseded by d2"), ("dead", 1, "no")]


# JOIN-9
def test_alone_it_fails_without_letting_older_ones_come_after_newer(
    store: Store, clock: FakeClock
) -> None:
    _arrive(store, "a")
    clock.advance(5)
    _claim(store).retry(60, "no")
    _arrive(store, "b")
    clock.advance(60)

    assert [message.key for message in _claim(store).messages] == ["b"]


# JOIN-9
@pytest.mark.parametrize("how", ["expiry", "death"])
def test_a_lost_worker_is_a_failure_of_the_newest(store: Store, clock: FakeClock, how: str) -> None:
    _arrive(store, "a", "b")
    clock.advance(5)
    pools = store.engine.pools
    worker = pools.register(pools.begin(["mail"], 1))
    store.engine.queue.claim(["mail"], limit=1, lease_ms=30_000, owner=worker, joins={"mail": 500})
    if how == "death":
        pools.retire(worker, "it died", crashed=True)
    else:
        clock.advance(30)
        store.engine.queue.claim(["mail"], limit=0, lease_ms=1)
    clock.advance(60)

    claim = _claim(store)

    assert [message.key for message in claim.messages] == ["b"]
    assert [attempt for _, attempt, _ in _states(store)] == [1, 2]


# JOIN-9
@pytest.mark.parametrize("verb", ["ack", "retry", "bury", "release"])
def test_with_one_lost_nothing_is_superseded(store: Store, clock: FakeClock, verb: str) -> None:
    _arrive(store, "a", "b")
    clock.advance(5)
    claim = _claim(store)
    clock.advance(31)
    store.engine.queue.claim(["mail"], limit=0, lease_ms=1)
    clock.advance(60)
    store.queue("mail").claim()  # the oldest alone
    before = _states(store)

    with pytest.raises(LeaseLost):
        claim.bury("no") if verb == "bury" else getattr(claim, verb)()

    assert _states(store) == before
