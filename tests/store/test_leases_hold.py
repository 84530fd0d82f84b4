"""Holding a lease for as long as the work takes: kept in the background, or known to be lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fencepost import InvalidInput, Lease, LeaseHeld, LeaseLost, Store, StoreBusy
from fencepost.store.engine import Engine
from fencepost.store.engine.leases import LeaseVerbs, NameHold
from fencepost.store.engine.ports.clock import Term
from fencepost.store.engine.transactions import TransactionVerbs
from fencepost.store.rules.lease_timing import holder_renews_seconds

from ..clock import FakeClock
from ..kits import Effects, Kit
from ..processes import wait_until

TTL = 1.0  # the shortest, renewed each third of a second


@pytest.fixture
def brief(kit: Kit) -> Iterator[Store]:
    """A store that is busy at once."""
    with kit.open(busy_timeout=0.01) as opened:
        yield opened


@contextmanager
def _held(store: Store, clock: FakeClock) -> Iterator[Lease]:
    """Hold a lease that has been renewed, so that its thread is at work."""
    with store.leases.hold("deploy", ttl=TTL) as lease:
        clock.advance(0.5)
        _wait_for_renewal(lease, clock)
        yield lease


def _wait_for_renewal(lease: Lease, clock: FakeClock) -> None:
    now = clock.wall / 1000
    wait_until(lambda: lease.expires_at >= now + TTL, "the lease to be renewed")


def _renewals() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "renewal"]


# LEASE-17, LEASE-18, OLEASE-3
def test_it_is_renewed_as_long_as_the_block_takes_and_free_after_it(
    store: Store, clock: FakeClock
) -> None:
    with store.leases.hold("deploy", ttl=TTL) as lease:
        for _ in range(3):
            clock.advance(0.9)
            _wait_for_renewal(lease, clock)
            assert store.leases.try_acquire("deploy") is None
        assert not lease.lost

    assert _renewals() == []
    assert store.leases.acquire("deploy").displaced is None


def test_short_work_opens_no_second_connection(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(store.engine.transactions), "twin")

    with store.leases.hold("deploy", ttl=30) as lease:
        assert not lease.lost

    assert store.leases.try_acquire("deploy") is not None


def test_the_second_connections_do_not_pile_up(store: Store, clock: FakeClock) -> None:
    """SQLite closes a file's descriptors late, and uses them again."""
    counts = []

    for _ in range(4):
        with _held(store, clock):
            pass
        counts.append(len(os.listdir("/proc/self/fd")))

    assert len(set(counts)) == 1


def test_what_somebody_holds_is_refused_and_the_block_does_not_run(store: Store) -> None:
    store.leases.acquire("deploy", owner="one")

    with pytest.raises(LeaseHeld) as refused, store.leases.hold("deploy"):
        raise AssertionError

    assert refused.value.holder == "one"


def test_it_is_not_held_within_a_transaction(store: Store) -> None:
    with store.transaction(), pytest.raises(InvalidInput), store.leases.hold("deploy"):
        raise AssertionError

    assert store.leases.list() == []


def test_an_error_of_the_block_frees_the_name_and_is_the_one_raised(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.leases.hold("deploy"):
        raise ZeroDivisionError

    assert store.leases.try_acquire("deploy") is not None


def test_a_fenced_transaction_commits_within_it(
    store: Store, effects: Effects, clock: FakeClock
) -> None:
    with _held(store, clock) as lease, store.transaction(fence=lease) as tx:
        effects.write(tx, 1)

    assert effects.seen() == [1]


def test_it_may_be_released_early(store: Store) -> None:
    with store.leases.hold("deploy", ttl=TTL) as lease:
        lease.release()
        taken = store.leases.acquire("deploy")

    taken.renew()


# LEASE-18
def test_a_lease_that_the_store_refuses_is_lost_and_the_end_says_so(
    store: Store, clock: FakeClock
) -> None:
    with pytest.raises(LeaseLost) as refused, _held(store, clock) as lease:
        store.leases.free("deploy")
        taken = store.leases.acquire("deploy")
        wait_until(lambda: lease.lost, "the lease to be lost")
        wait_until(lambda: _renewals() == [], "the thread to give up")

    assert refused.value.cause == "superseded"
    taken.renew()


# LEASE-18
def test_a_lost_lease_does_not_hide_the_error_of_the_block(store: Store, clock: FakeClock) -> None:
    with pytest.raises(ZeroDivisionError), store.leases.hold("deploy", ttl=TTL):
        clock.advance(TTL)
        raise ZeroDivisionError


# LEASE-18, OLEASE-4
def test_a_store_that_is_busy_for_a_while_costs_nothing(
    kit: Kit, brief: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _held(brief, clock) as lease:
        refused = threading.Event()
        _note_when_busy(brief, monkeypatch, refused)
        with kit.locked():
            clock.advance(0.5)
            assert refused.wait(60)
            assert not lease.lost
        _wait_for_renewal(lease, clock)


# OLEASE-4
def test_a_second_connection_that_cannot_be_opened_yet_is_opened_later(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = type(store.engine.transactions)
    twin = transactions.twin
    failures = [OSError("too many open files"), StoreBusy(operation="open", path="", waited=10)]

    def failing(self: TransactionVerbs) -> Engine:
        if failures:
            raise failures.pop()
        return twin(self)

    monkeypatch.setattr(transactions, "twin", failing)
    with _held(store, clock):
        assert failures == []


# OLEASE-3
@pytest.mark.parametrize(("ttl_ms", "pause"), [(1, 0.25), (900, 0.3), (30_000, 10), (600_000, 30)])
def test_renewals_are_a_third_of_the_lease_apart_within_bounds(ttl_ms: int, pause: float) -> None:
    assert holder_renews_seconds(ttl_ms) == pytest.approx(pause)


# OLEASE-4
def test_a_store_that_stays_busy_loses_the_lease_when_its_time_is_up(
    kit: Kit, brief: Store, clock: FakeClock
) -> None:
    with kit.locked() as gate:
        gate.leave()
        with pytest.raises(LeaseLost) as refused, _held(brief, clock) as lease:
            assert gate.enter(1e12)
            clock.advance(TTL - 0.001)
            assert not lease.lost
            clock.advance(0.001)
            assert lease.lost
            wait_until(lambda: _renewals() == [], "the thread to give up")

    assert refused.value.cause == "expired"


# OLEASE-5
def test_a_store_that_is_busy_at_the_end_leaves_the_lease_to_end_by_itself(
    kit: Kit, brief: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fencepost.store.renewal._INSIST_SECONDS", 0.05)
    with kit.locked() as gate:
        gate.leave()
        with brief.leases.hold("deploy", ttl=30):
            assert gate.enter(1e12)
        gate.leave()
        assert brief.leases.try_acquire("deploy") is None

    clock.advance(30)
    assert brief.leases.try_acquire("deploy") is not None


# OLEASE-5
def test_a_store_that_is_busy_for_a_moment_at_the_end_frees_the_name(
    kit: Kit, brief: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kit.locked() as gate:
        gate.leave()
        release = brief.engine.leases.release
        asked = []

        def leaving(hold: NameHold) -> None:
            asked.append(hold)
            try:
                release(hold)
            except StoreBusy:
                gate.leave()
                raise

        monkeypatch.setattr(brief.engine.leases, "release", leaving)
        with brief.leases.hold("deploy", ttl=30):
            assert gate.enter(1e12)

    assert len(asked) == 2
    assert brief.leases.try_acquire("deploy") is not None


def _note_when_busy(
    store: Store, monkeypatch: pytest.MonkeyPatch, refused: threading.Event
) -> None:
    leases = type(store.engine.leases)
    renew = leases.renew

    def noting(self: LeaseVerbs, hold: NameHold, ttl_ms: int) -> Term:
        try:
            return renew(self, hold, ttl_ms)
        except StoreBusy:
            refused.set()
            raise

    monkeypatch.setattr(leases, "renew", noting)
