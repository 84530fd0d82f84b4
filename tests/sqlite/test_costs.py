"""What a call costs: how many transactions, and how many bytes and syncs."""

from __future__ import annotations

import os
import random

import apsw

from fencepost import Queue, Store, connect
from fencepost.stress.sqlite.disk.disk import Disk

from ..clock import FakeClock
from .inside import ask, connection, traced


def _transactions(statements: list[str]) -> list[str]:
    return [sql for sql in statements if sql.split()[0] in ("begin", "commit", "rollback")]


def _wal_size(store: Store) -> int:
    return os.stat(f"{store.engine.identity.address}-wal").st_size


# CLAIM-14
def test_ack_and_claim_in_one_call_are_one_transaction(store: Store, queue: Queue) -> None:
    queue.enqueue_many([{"body": b"%d" % n} for n in range(6)])
    done = queue.claim(limit=3)

    with traced(store) as statements:
        leases, refused = store.engine.queue.claim(
            ["mail"], limit=3, lease_ms=30_000, acks=[(claim.hold, None) for claim in done]
        )

    assert (len(leases), refused) == (3, [])
    assert _transactions(statements) == ["begin immediate", "commit"]


def test_a_hundred_messages_are_one_transaction(store: Store, queue: Queue) -> None:
    with traced(store) as statements:
        queue.enqueue_many([{"body": b"%d" % n, "key": f"{n}"} for n in range(100)])

    assert _transactions(statements) == ["begin immediate", "commit"]


# COST-7
def test_a_handlers_transaction_is_one_commit_with_four_statements_for_the_ack(
    store: Store, queue: Queue
) -> None:
    with store.transaction() as tx:
        tx.execute("create table effects (key text)")
    queue.enqueue_many([{"body": b"%d" % n, "key": f"{n}"} for n in range(3)])

    claims = queue.claim(limit=3)

    with traced(store) as statements:
        for claim in claims:
            with claim.transaction() as tx:
                tx.execute("insert into effects values (?)", (claim.message.key,))

    assert _transactions(statements) == ["begin immediate", "commit"] * 3
    assert statements.count("insert into effects values (?)") == 3
    assert len(statements) == 3 * (2 + 1 + 4)


# CLAIM-21
def test_a_claim_that_finds_nothing_writes_nothing(store: Store, queue: Queue) -> None:
    queue.enqueue(b"later", delay=60)
    before = _wal_size(store), connection(store).total_changes()

    for _ in range(20):
        assert queue.claim(limit=10) == []

    assert (_wal_size(store), connection(store).total_changes()) == before


def test_a_duplicate_writes_nothing(store: Store, queue: Queue) -> None:
    queue.enqueue(b"hello", key="k")
    before = _wal_size(store), connection(store).total_changes()

    assert queue.enqueue(b"hello", key="k").status == "duplicate"

    assert (_wal_size(store), connection(store).total_changes()) == before


def test_a_refused_ack_writes_nothing(store: Store, queue: Queue) -> None:
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    claim.ack()
    before = _wal_size(store), connection(store).total_changes()

    claim.ack()

    assert (_wal_size(store), connection(store).total_changes()) == before


def test_each_commit_is_one_sync(disk: Disk, address: str) -> None:
    with connect(address) as store:
        queue = store.queue("mail")
        queue.enqueue_many([{"body": b"%d" % n} for n in range(10)])
        disk.done.clear()

        claims = queue.claim(limit=5)
        queue.ack_many(claims)
        store.engine.queue.claim(["mail"], limit=5, lease_ms=1_000)
        queue.claim()

        assert disk.done["sync"] == 3


# BLOB-2, BLOB-3
def test_a_body_is_compressed_from_4_kib_on_if_that_saves_an_eighth(
    store: Store, queue: Queue
) -> None:
    dice = random.Random(1)
    queue.enqueue(b"x" * 4095)
    queue.enqueue(b"x" * 4096)
    queue.enqueue(dice.randbytes(10_000))
    queue.enqueue(dice.randbytes(9_000) + bytes(1_000))
    queue.enqueue(dice.randbytes(8_500) + bytes(1_500))

    rows = ask(store.engine.identity.address, "select compressed, length(body) < 9000 from fp_body")

    assert rows == [(0, 1), (1, 1), (0, 0), (0, 0), (1, 1)]


# CLAIM-40
def test_reading_costs_no_transaction_of_ours(store: Store, queue: Queue) -> None:
    queue.enqueue(b"hello")

    with traced(store) as statements:
        store.stats()
        store.deliveries()
        store.engine.queue.next_at_ms(["mail"])
        store.engine.upkeep.ping()

    assert _transactions(statements) == []


def test_what_a_batch_runs_is_not_compiled_again_after_many_single_messages(
    store: Store, queue: Queue
) -> None:
    def batch(prefix: str) -> None:
        queue.enqueue_many([{"body": b"x", "key": f"{prefix}-{n}"} for n in range(100)])
        assert queue.ack_many(queue.claim(limit=100)) == []

    batch("first")
    for n in range(25):
        queue.enqueue(b"x", key=f"single-{n}")
        queue.claim()[0].ack()
    before = connection(store).cache_stats()["misses"]

    batch("second")

    assert connection(store).cache_stats()["misses"] == before


def test_no_statement_is_compiled_twice(store: Store, queue: Queue, clock: FakeClock) -> None:
    def round_of_work() -> None:
        queue.enqueue_many({"body": b"x" * 600, "lane": f"{n}"} for n in range(3))
        claims = queue.claim(limit=2)
        queue.ack_many(claims[:1])
        claims[1].retry(delay=1)
        clock.advance(60)

    compiled: list[int] = []

    def note(action: int, *_: object) -> int:
        compiled.append(action)
        return apsw.SQLITE_OK

    connection(store).authorizer = note
    round_of_work()
    round_of_work()
    assert compiled
    compiled.clear()
    round_of_work()

    assert compiled == []
