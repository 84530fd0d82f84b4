"""A transaction that does not reach its end leaves nothing, and the store as it was."""

from __future__ import annotations

import os
import signal

import pytest

from fencepost import InvalidInput, Queue, SqlError, Store

from .inside import ask, connection, gate_is_free


def _bodies(store: Store) -> set[bytes | None]:
    contents = (store.content(delivery.id) for delivery in store.deliveries())
    return {content.body for content in contents if content is not None}


# CONN-6, ATT-3, TXN-1
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_in_the_block_takes_back_all_of_it(
    store: Store, queue: Queue, address: str, error: type[BaseException]
) -> None:
    with pytest.raises(error), store.transaction() as tx:
        tx.execute("create table orders (n)")
        queue.enqueue(b"gone")
        raise error

    assert store.deliveries() == []
    assert not connection(store).in_transaction
    assert gate_is_free(address)
    with store.transaction() as tx, pytest.raises(SqlError):
        tx.execute("select n from orders")


# TXN-1
def test_an_interrupt_from_outside_takes_back_all_of_the_block(store: Store, queue: Queue) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), store.transaction() as tx:
            queue.enqueue(b"gone")
            os.kill(os.getpid(), signal.SIGINT)
            tx.execute("select 1")
    finally:
        signal.signal(signal.SIGINT, before)

    assert queue.enqueue(b"next").status == "accepted"
    assert _bodies(store) == {b"next"}


# TXN-2
def test_an_inner_error_takes_back_the_inner_part_alone(store: Store, queue: Queue) -> None:
    with store.transaction():
        queue.enqueue(b"outer")
        with pytest.raises(ValueError, match="inner"), store.transaction():
            queue.enqueue(b"inner")
            with store.transaction():
                queue.enqueue(b"innermost")
            raise ValueError("inner")
        queue.enqueue(b"after")

    assert _bodies(store) == {b"outer", b"after"}


# TXN-2
def test_an_inner_block_that_ends_well_goes_with_the_outer_one(store: Store, queue: Queue) -> None:
    with pytest.raises(ValueError, match="outer"), store.transaction():
        with store.transaction():
            queue.enqueue(b"inner")
        raise ValueError("outer")

    assert store.deliveries() == []


def test_nobody_sees_an_inner_block_before_the_outer_one_has_ended(
    store: Store, queue: Queue, address: str
) -> None:
    with store.transaction():
        with store.transaction():
            queue.enqueue(b"inner")
        assert ask(address, "select count(*) from fp_delivery") == [(0,)]

    assert ask(address, "select count(*) from fp_delivery") == [(1,)]


def test_a_transaction_is_entered_once(store: Store, queue: Queue) -> None:
    transaction = store.transaction()
    with transaction:
        queue.enqueue(b"kept")
        with pytest.raises(InvalidInput, match="entered once"), transaction:
            pass

    with pytest.raises(InvalidInput, match="entered once"), transaction:
        queue.enqueue(b"not stored")
    assert _bodies(store) == {b"kept"}


def test_a_claim_within_a_transaction_is_refused_and_the_rest_stands(
    store: Store, queue: Queue
) -> None:
    with store.transaction():
        queue.enqueue(b"kept")
        with pytest.raises(InvalidInput, match="claim cannot be part"):
            queue.claim()

    (claim,) = queue.claim()
    assert (claim.message.body, claim.fence) == (b"kept", 1)


def test_a_user_who_ends_the_stores_savepoint_ends_the_whole_block(
    store: Store, queue: Queue
) -> None:
    with pytest.raises(SqlError), store.transaction():
        queue.enqueue(b"outer")
        with store.transaction() as inner:
            queue.enqueue(b"inner")
            inner.execute("release fp_inner_0")

    assert store.deliveries() == []
    assert queue.enqueue(b"next").status == "accepted"
