"""What messages cost in batches: statements, and pages written to the WAL. Counts, never times."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fencepost import Claim, Queue, Store, connect
from fencepost.store.engine import Hold
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.stress.sqlite.disk.disk import Disk

from .inside import operations, traced
from .wal import written

# 1 KiB that does not compress, as most of what is worth a message is small.
BODY = random.Random(1).randbytes(512).hex().encode()


def _enqueue(queue: Queue, count: int, prefix: str = "k") -> None:
    queue.enqueue_many([{"body": BODY, "key": f"{prefix}-{n}"} for n in range(count)])


def _fused(store: Store, limit: int, done: list[Hold]) -> list[Hold]:
    """Claim, and ack what was claimed before, in one transaction, as workers do."""
    leases, refused = store.engine.queue.claim(
        ["mail"], limit=limit, lease_ms=30_000, acks=[(hold, None) for hold in done]
    )
    assert (len(leases), refused) == (limit, [])
    return [leased.hold for leased in leases]


# COST-1, COUNTER-4
def test_a_claim_of_a_hundred_with_its_acks_is_at_most_twelve_statements(
    store: Store, queue: Queue
) -> None:
    _enqueue(queue, 300)

    with traced(store) as apart:
        claims = queue.claim(limit=100)
        assert queue.ack_many(claims) == []
    done = _fused(store, 100, [])
    with traced(store) as fused:
        _fused(store, 100, done)

    assert len(apart) <= 12
    assert len(fused) <= 12


# COST-2
def test_an_enqueue_of_a_hundred_is_at_most_ten_statements(store: Store, queue: Queue) -> None:
    _enqueue(queue, 1, "first")

    with traced(store) as statements:
        _enqueue(queue, 100)

    assert len(statements) <= 10


# ROUTE-1, COST-2
def test_which_routes_are_off_is_one_statement_of_the_enqueue(store: Store) -> None:
    def receive(prefix: str) -> list[str]:
        drafts = [
            Draft("s", "s", f"{prefix}-{n}", "e", {}, BODY, [Address("mail")]) for n in range(100)
        ]
        with traced(store) as statements:
            assert all(each.state == "ready" for each in store.engine.queue.enqueue(drafts))
        return statements

    receive("first")

    statements = receive("second")

    assert len(statements) <= 10
    assert sum("fp_route" in sql for sql in statements) == 1


# COST-3
def test_the_statements_of_a_claim_and_its_acks_do_not_grow_with_the_batch(
    store: Store, queue: Queue
) -> None:
    _enqueue(queue, 1110)

    counts = set()
    for limit in (10, 100, 1000):
        with traced(store) as statements:
            assert queue.ack_many(queue.claim(limit=limit)) == []
        counts.add(len(statements))

    assert len(counts) == 1


# COUNTER-4
def test_counting_is_one_statement_for_all_acks_of_a_commit(store: Store, queue: Queue) -> None:
    _enqueue(queue, 200)
    plain, counting = queue.claim(limit=100), queue.claim(limit=100)
    for n, claim in enumerate(counting):
        claim.note_counts({"mails": 1, f"of {n % 5}": 2})

    with traced(store) as without:
        assert queue.ack_many(plain) == []
    with traced(store) as counted:
        assert queue.ack_many(counting) == []

    assert len(counted) == len(without) + 1
    assert store.counters()["mails"] == 100


# COST-10
@pytest.mark.parametrize("lane", [None, "a"])
def test_checks_and_indexes_of_a_row_cost_sqlite_no_table(
    store: Store, queue: Queue, lane: str | None
) -> None:
    with traced(store) as statements:
        queue.enqueue_many([{"body": BODY, "key": f"{n}", "lane": lane} for n in range(3)])
        claims = queue.claim()
        claims[0].ack()

    changes = [sql for sql in statements if sql.split()[0] in ("insert", "update", "delete")]
    for sql in [sql for sql in changes if " returning " not in sql]:
        assert "OpenEphemeral" not in operations(store.engine.identity.address, sql), sql
    assert {"fp_message", "fp_body", "fp_delivery"} <= {sql.split()[2] for sql in changes}


# COST-4
def test_one_by_one_a_message_is_two_syncs_and_in_batches_a_hundred_are_two(
    disk: Disk, address: str
) -> None:
    with connect(address) as store:
        queue = store.queue("mail")
        for size in (1, 100):
            _enqueue(queue, size, f"first-{size}")
            done = _fused(store, size, [])
            disk.done.clear()

            for n in range(5):
                _enqueue(queue, size, f"{size}-{n}")
                done = _fused(store, size, done)

            assert disk.done["sync"] == 10


# COST-5
@pytest.mark.parametrize(
    ("count", "enqueue", "claim", "ack"), [(1, 9, 5, 4), (10, 16, 7, 9), (100, 52, 11, 26)]
)
def test_pages_written_for_a_batch(
    address: str, queue: Queue, count: int, enqueue: int, claim: int, ack: int
) -> None:
    _enqueue(queue, 50, "before")
    queue.ack_many(queue.claim(limit=50))
    claims: list[Claim] = []
    steps: list[tuple[int, Callable[[], object]]] = [
        (enqueue, lambda: _enqueue(queue, count)),
        (claim, lambda: claims.extend(queue.claim(limit=count))),
        (ack, lambda: queue.ack_many(claims)),
    ]

    for most, step in steps:
        with written(address) as wal:
            step()

        assert wal.commits == 1
        assert wal.pages <= most
