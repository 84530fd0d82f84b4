"""One writer at a time, each in its turn, on the clock of the moment it got the lock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest

from fencepost import Queue, Store, StoreFailed

from ..clock import FakeClock
from ..processes import line_of, tell, wait_until
from .holder import foreign_writer, holder
from .inside import gate_is_free, held_gate, is_in_use, traced


# CONN-5
def test_every_transaction_begins_immediate(store: Store, queue: Queue) -> None:
    with traced(store) as statements:
        queue.enqueue(b"work", key="k")
        (claim,) = queue.claim()
        claim.renew(60)
        claim.retry(delay=0)
        (claim,) = queue.claim()
        with claim.transaction() as tx:
            tx.execute("create table t (a)")
        store.stats()
        store.cancel(1)
        store.replay(1)
        store.probe()

    begins = [sql for sql in statements if sql.startswith("begin")]
    assert set(begins) == {"begin immediate"}
    assert len(begins) == statements.count("commit") == 10


# CONN-8
def test_the_clock_is_read_after_the_gate_was_passed(
    address: str, store: Store, queue: Queue, clock: FakeClock
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held_gate(address):
            waiting = pool.submit(queue.enqueue, b"late")
            wait_until(lambda: is_in_use(store), "the writer waits at the gate")
            clock.advance(60)
        waiting.result(timeout=60)

    (delivery,) = store.deliveries()
    assert delivery.received_at == clock.wall_ms() / 1000


# CONN-8, OLEASE-1
def test_the_clock_is_read_after_sqlite_gave_the_lock(
    address: str, store: Store, queue: Queue, clock: FakeClock
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with foreign_writer(address):
            waiting = pool.submit(queue.enqueue, b"late")
            wait_until(lambda: not gate_is_free(address), "the writer has passed the gate")
            clock.advance(60)
        waiting.result(timeout=60)

    (delivery,) = store.deliveries()
    assert delivery.received_at == clock.wall_ms() / 1000


# FILE-2
def test_a_writer_waits_its_turn_and_then_goes_on(address: str, store: Store, queue: Queue) -> None:
    with (
        holder(address) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(queue.enqueue, b"next")
        wait_until(lambda: is_in_use(store), "the writer waits at the gate")
        tell(process, "go on")

        assert waiting.result(timeout=60).message_id == 2
        assert line_of(process) == "done"


# CONN-7, FILE-2
def test_another_thread_waits_for_the_transaction_to_end(store: Store, queue: Queue) -> None:
    order = []

    def other() -> None:
        queue.enqueue(b"other")
        order.append("other")

    with ThreadPoolExecutor(1) as pool:
        with store.transaction():
            waiting = pool.submit(other)
            queue.enqueue(b"first")
            order.append("first")
        waiting.result(timeout=60)

    assert order == ["first", "other"]
    assert [delivery.id for delivery in store.deliveries()] == [2, 1]


def test_memory_that_runs_out_is_told_as_a_failure_and_over_with_it(queue: Queue) -> None:
    apsw.hard_heap_limit(apsw.memory_used() + 1_000)
    try:
        with pytest.raises(StoreFailed, match="out of memory"):
            queue.enqueue(os.urandom(100_000), key="k")
    finally:
        apsw.hard_heap_limit(0)
        apsw.soft_heap_limit(0)  # or SQLite goes on to take memory for scarce, and spills

    assert queue.enqueue(b"now", key="k").status == "accepted"
