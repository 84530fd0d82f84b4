"""A fenced transaction commits while its lease is held, or not at all."""

from __future__ import annotations

import select

import pytest

from fencepost import InvalidInput, Lease, LeaseLost, Store

from ..clock import FakeClock
from ..kits import Effects
from ..sqlite.inside import session


@pytest.fixture
def lease(store: Store) -> Lease:
    """A lease of ten seconds."""
    return store.leases.acquire("deploy", ttl=10)


# LEASE-10
def test_it_commits_what_was_written_under_the_lease(
    store: Store, lease: Lease, effects: Effects
) -> None:
    with store.transaction(fence=lease) as tx:
        effects.write(tx, 1)
        store.queue("mail").enqueue(b"deployed", key="1")

    assert effects.seen() == [1]
    assert store.queue("mail").stats().ready == 1
    assert not lease.lost


# LEASE-10, KV-37
def test_a_stale_fence_is_refused_before_the_block_runs(
    store: Store, lease: Lease, clock: FakeClock
) -> None:
    clock.advance(10)
    ran = False

    with pytest.raises(LeaseLost), store.transaction(fence=lease):
        ran = True

    assert not ran


# LEASE-10, OLEASE-7, KV-37
def test_one_that_outlives_its_lease_is_rolled_back(
    store: Store, lease: Lease, effects: Effects, clock: FakeClock
) -> None:
    with pytest.raises(LeaseLost) as refused, store.transaction(fence=lease) as tx:
        effects.write(tx, 1)
        store.queue("mail").enqueue(b"deployed", key="1")
        clock.advance(10)

    assert refused.value.cause == "expired"
    assert effects.seen() == []
    assert store.stats() == {}
    assert lease.lost


def test_an_error_in_the_block_rolls_back_and_leaves_the_lease(
    store: Store, lease: Lease, effects: Effects
) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction(fence=lease) as tx:
        effects.write(tx, 1)
        raise ZeroDivisionError

    assert effects.seen() == []
    lease.renew()


# LEASE-19
def test_a_lease_released_within_it_is_free_with_the_commit(
    store: Store, lease: Lease, effects: Effects
) -> None:
    with store.transaction(fence=lease) as tx:
        effects.write(tx, 1)
        lease.release()

    assert effects.seen() == [1]
    assert store.leases.acquire("deploy").displaced is None


# LEASE-19
def test_a_lease_released_within_one_that_rolls_back_is_still_held(
    store: Store, lease: Lease
) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction(fence=lease):
        lease.release()
        raise ZeroDivisionError

    lease.renew()
    assert store.leases.try_acquire("deploy") is None


# LEASE-19
def test_a_lease_cannot_be_released_late_within_a_long_transaction(
    store: Store, lease: Lease, effects: Effects, clock: FakeClock
) -> None:
    with pytest.raises(LeaseLost), store.transaction(fence=lease) as tx:
        effects.write(tx, 1)
        clock.advance(10)
        lease.release()

    assert effects.seen() == []


@pytest.mark.sqlite("looks from within the wake-up itself")
def test_what_a_fenced_transaction_enqueued_wakes_who_waits_once_it_is_there(
    store: Store, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def looking() -> None:
        if not store.engine.leases.list(1):
            seen.append(store.queue("mail").stats().ready)

    monkeypatch.setattr(session(store), "on_wake", looking)
    with store.transaction(fence=lease):
        store.queue("mail").enqueue(b"work")
        lease.release()
        assert seen == []

    assert seen == [1]


def test_a_fenced_transaction_wakes_nobody_before_its_commit(store: Store, lease: Lease) -> None:
    wakeup = store.engine.wakeup
    waits = wakeup.fileno()
    assert waits is not None
    wakeup.clear()

    with store.transaction(fence=lease):
        store.queue("mail").enqueue(b"work")
        assert select.select([waits], [], [], 0)[0] == []

    assert select.select([waits], [], [], 60)[0] == [waits]


def test_only_a_lease_is_a_fence(store: Store, lease: Lease) -> None:
    with pytest.raises(InvalidInput):
        store.transaction(fence=lease.fence)  # type: ignore[arg-type]


def test_another_lease_lost_in_the_block_is_not_this_one(
    store: Store, lease: Lease, clock: FakeClock
) -> None:
    other = store.leases.acquire("other", ttl=1)
    clock.advance(1)

    with pytest.raises(LeaseLost), store.transaction(fence=lease):
        other.release()

    assert other.lost
    assert not lease.lost
