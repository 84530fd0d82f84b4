"""A handler's writes and the ack are one transaction."""

from __future__ import annotations

import pytest

from fencepost import Claim, InvalidInput, LeaseLost, Queue, SqlError, Store

from ..clock import FakeClock
from ..kits import Effects, Kit


@pytest.fixture
def claim(queue: Queue) -> Claim:
    """A claim of ten seconds."""
    queue.enqueue(b"work", key="k")
    (claimed,) = queue.claim(lease=10)
    return claimed


# COMMIT-1, PLEASE-7, FP-7
def test_writes_and_ack_commit_together(queue: Queue, claim: Claim, effects: Effects) -> None:
    with claim.transaction() as tx:
        effects.write(tx, 1)

    assert effects.seen() == [1]
    assert queue.stats().done == 1


# COMMIT-1
def test_an_error_takes_back_both(queue: Queue, claim: Claim, effects: Effects) -> None:
    with pytest.raises(RuntimeError), claim.transaction() as tx:
        effects.write(tx, 1)
        raise RuntimeError

    assert effects.seen() == []
    assert queue.stats().leased == 1
    claim.ack()


@pytest.mark.sql
def test_a_failed_statement_can_be_met_within_the_transaction(store: Store, claim: Claim) -> None:
    with store.transaction() as tx:
        tx.execute("create table effects (n integer primary key)")
    with claim.transaction() as tx:
        tx.execute("insert into effects values (1)")
        with pytest.raises(SqlError, match="UNIQUE"):
            tx.execute("insert into effects values (1)")
        tx.execute("insert into effects values (2)")

    with store.transaction() as tx:
        assert tx.execute("select n from effects order by n") == [(1,), (2,)]


def test_nobody_can_take_the_delivery_during_the_transaction(
    kit: Kit, queue: Queue, claim: Claim, effects: Effects, clock: FakeClock
) -> None:
    with kit.open(busy_timeout=0.05) as other, claim.transaction() as tx:
        clock.advance(60)
        with pytest.raises(Exception, match="busy"):
            other.queue("mail").claim()
        effects.write(tx, 1)

    assert effects.seen() == [1]
    assert queue.stats().done == 1


# COMMIT-3
def test_the_second_transaction_of_a_claim_is_refused(claim: Claim, effects: Effects) -> None:
    with claim.transaction() as tx:
        effects.write(tx, 1)

    with pytest.raises(LeaseLost) as refused, claim.transaction() as tx:
        effects.write(tx, 2)

    assert refused.value.cause == "settled"
    assert effects.seen() == [1]


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
    queue: Queue, claim: Claim, effects: Effects
) -> None:
    queue.enqueue(b"other")
    (other,) = queue.claim()

    with claim.transaction() as tx:
        other.ack()
        effects.write(tx, 1)

    assert queue.stats().done == 2


def test_a_stale_ack_within_a_transaction_leaves_the_rest_of_it_alone(
    queue: Queue, claim: Claim, effects: Effects, clock: FakeClock
) -> None:
    clock.advance(10)
    (taken,) = queue.claim()

    with taken.transaction() as tx:
        with pytest.raises(LeaseLost):
            claim.ack()
        effects.write(tx, 1)

    assert effects.seen() == [1]
    assert queue.stats().done == 1


def test_a_closed_store_says_so(kit: Kit) -> None:
    store = kit.open()
    store.close()
    store.close()

    with pytest.raises(InvalidInput, match="closed"):
        store.queue("mail").enqueue(b"")
