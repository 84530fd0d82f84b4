"""Leases and claims of keys are forgotten when they are of no more use, a few at a time."""

from __future__ import annotations

import pytest

from fencepost import LeaseLost, LimitExceeded, Store
from fencepost.store.sqlite.leases import named_leases, once

from ..clock import FakeClock
from .inside import ask, connection, session

DAY = 86_400


def _sweep_leases(store: Store, limit: int = 100) -> int:
    with session(store).write("sweep") as write:
        return named_leases.sweep(write, limit)


def _sweep_once(store: Store, limit: int = 100) -> int:
    with session(store).write("sweep") as write:
        return once.sweep(write, limit)


# RETAIN-4
def test_a_lease_is_forgotten_a_day_after_its_end(store: Store, clock: FakeClock) -> None:
    released = store.leases.acquire("released", ttl=10 * DAY)
    expired = store.leases.acquire("expired", ttl=10)
    store.leases.acquire("live", ttl=10 * DAY)
    released.release()

    clock.advance(DAY - 0.001)
    assert _sweep_leases(store) == 0
    clock.advance(0.001)
    assert _sweep_leases(store) == 1
    clock.advance(10)
    assert _sweep_leases(store) == 1

    assert ask(store.engine.identity.address, "select name from fp_lease") == [("live",)]
    for gone in (released, expired):
        with pytest.raises(LeaseLost) as refused:
            gone.renew()
        assert refused.value.cause == "missing"
    assert store.leases.acquire("released").fence > expired.fence


# EFFECT-19, DEDUPE-13
def test_a_key_is_forgotten_when_its_memory_ends(store: Store, clock: FakeClock) -> None:
    store.once("n", "done", keep_for=60).complete(1)
    store.once("n", "released").release()
    lapsed = store.once("n", "lapsed", lease=60)
    store.once("n", "in work", lease=10 * DAY)

    clock.advance(59.999)
    assert _sweep_once(store) == 0
    clock.advance(0.001)
    assert _sweep_once(store) == 1
    assert ask(
        store.engine.identity.address, "select count(*) from fp_once where key = 'done'"
    ) == [(0,)]
    clock.advance(DAY - 60)
    assert _sweep_once(store) == 1
    clock.advance(60)
    assert _sweep_once(store) == 1

    assert ask(store.engine.identity.address, "select key from fp_once") == [("in work",)]
    with pytest.raises(LeaseLost) as refused:
        lapsed.complete()
    assert refused.value.cause == "missing"


def test_a_sweep_removes_no_more_than_it_is_told(store: Store, clock: FakeClock) -> None:
    for n in range(5):
        store.leases.acquire(f"{n}", ttl=1)
        store.once("n", f"{n}", keep_for=1).complete()
    clock.advance(2 * DAY)

    assert [_sweep_leases(store, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert [_sweep_once(store, 2) for _ in range(4)] == [2, 2, 1, 0]


# SCHEMA-9, LEASE-22
def test_a_store_without_fences_left_says_so_and_gives_none_out_twice(store: Store) -> None:
    connection(store).execute("update fp_store set last_fence = 9223372036854775806")

    last = store.leases.acquire("last")

    assert last.fence == 2**63 - 1
    with pytest.raises(LimitExceeded):
        store.leases.acquire("one too many")
    with pytest.raises(LimitExceeded):
        store.once("n", "one too many")
    assert [lease.name for lease in store.leases.list()] == ["last"]
