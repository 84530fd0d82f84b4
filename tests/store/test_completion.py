"""A handler's writes and the ack are one transaction."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import Claim, InvalidInput, LeaseLost, Queue, SqlError, Store, connect

from ..clock import FakeClock


@pytest.fixture
def claim(store: Store, queue: Queue) -> Claim:
    """A claim, beside a table for its effects."""
    with store.transaction() as tx:
        tx.execute("create table effects (n integer primary key)")
    queue.enqueue(b"work", key="k")
    (claimed,) = queue.claim(lease=10)
    return claimed


def _effects(store: Store) -> list[tuple[int, ...]]:
    with store.transaction() as tx:
        return tx.execute("select n from effects order by n")


# COMMIT-1, PLEASE-7, FP-7
def test_writes_and_ack_commit_together(store: Store, queue: Queue, claim: Claim) -> None:
    with claim.transaction() as tx:
        tx.execute("insert into effects values (?)", (1,))

    assert _effects(store) == [(1,)]
    assert queue.stats().done == 1


# COMMIT-1
def test_an_error_takes_back_both(store: Store, queue: Queue, claim: Claim) -> None:
    with pytest.raises(RuntimeError), claim.transaction() as tx:
        tx.execute("insert into effects values (1)")
        raise RuntimeError

    assert _effects(store) == []
    assert queue.stats().leased == 1
    claim.ack()


def test_a_failed_statement_can_be_met_within_the_transaction(store: Store, claim: Claim) -> None:
    with claim.transaction() as tx:
        tx.execute("insert into effects values (1)")
        with pytest.raises(SqlError, match="UNIQUE"):
            tx.execute("insert into effects values (1)")
        tx.execute("insert into effects values (2)")

    assert _effects(store) == [(1,), (2,)]


def test_nobody_can_take_the_delivery_during_the_transaction(
    address: str, store: Store, queue: Queue, claim: Claim, clock: FakeClock
) -> None:
    with connect(address, clock=clock, busy_timeout=0.05) as other, claim.transaction() as tx:
        clock.advance(60)
        with pytest.raises(Exception, match="busy"):
            other.queue("mail").claim()
        tx.execute("insert into effects values (1)")

    assert _effects(store) == [(1,)]
    assert queue.stats().done == 1


# COMMIT-3
def test_the_second_transaction_of_a_claim_is_refused(store: Store, claim: Claim) -> None:
    with claim.transaction() as tx:
        tx.execute("insert into effects values (1)")

    with pytest.raises(LeaseLost) as refused, claim.transaction() as tx:
        tx.execute("insert into effects values (2)")

    assert refused.value.cause == "settled"
    assert _effects(store) == [(1,)]


# WAKE-1, FP-7
def test_what_is_enqueued_within_is_part_of_it(store: Store, queue: Queue, claim: Claim) -> None:
    with pytest.raises(RuntimeError), claim.transaction():
        store.queue("next").enqueue(b"follow-up", key="k")
        raise RuntimeError
    assert store.queue("next").stats().ready == 0

    with claim.transaction():
        store.queue("next").enqueue(b"follow-up", key="k")
    assert store.queue("next").stats().ready == 1


def test_a_claim_within_a_transaction_is_refused(store: Store, queue: Queue) -> None:
    """Its fence would be known before the COMMIT that makes it true."""
    queue.enqueue(b"work")

    with store.transaction(), pytest.raises(InvalidInput):
        queue.claim()

    assert queue.stats().ready == 1


def test_other_claims_within_a_transaction_keep_to_themselves(
    store: Store, queue: Queue, claim: Claim, clock: FakeClock
) -> None:
    queue.enqueue(b"other")
    (other,) = queue.claim()

    with claim.transaction() as tx:
        other.ack()
        tx.execute("insert into effects values (1)")

    assert queue.stats().done == 2


def test_a_stale_ack_within_a_transaction_leaves_the_rest_of_it_alone(
    store: Store, queue: Queue, claim: Claim, clock: FakeClock
) -> None:
    clock.advance(10)
    (taken,) = queue.claim()

    with taken.transaction() as tx:
        with pytest.raises(LeaseLost):
            claim.ack()
        tx.execute("insert into effects values (1)")

    assert _effects(store) == [(1,)]
    assert queue.stats().done == 1


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = connect(tmp_path / "closed.db")
    store.close()
    store.close()

    with pytest.raises(InvalidInput, match="closed"):
        store.queue("mail").enqueue(b"")
