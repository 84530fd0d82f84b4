"""A full disk: refused by name, nothing acknowledged is lost, and the work goes on after it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from fencepost import OutcomeUnknown, Queue, Store, StoreFull, connect
from fencepost.stress.sqlite.disk.disk import Disk

from ..clock import FakeClock
from .inside import ask, connection


@pytest.fixture
def store(disk: Disk, address: str, clock: FakeClock) -> Iterator[Store]:
    with connect(address, clock=clock) as opened:
        opened.queue("mail").enqueue(b"first", key="first")
        yield opened


def test_a_disk_that_is_full_within_a_transaction_is_full_and_nothing_is_stored(
    disk: Disk, store: Store, queue: Queue, address: str
) -> None:
    with store.transaction() as tx:
        tx.execute("create table orders (n, body)")
    disk.inject("write", 1, "ENOSPC", of="-wal", for_ever=True)

    with pytest.raises((StoreFull, OutcomeUnknown)), store.transaction() as tx:
        queue.enqueue(b"gone", key="gone")
        for n in range(40):  # more than the page cache holds: it writes before the commit
            tx.execute("insert into orders values (?, zeroblob(200000))", (n,))
    disk.heal()

    assert disk.met > 0
    assert queue.enqueue(b"gone", key="gone").status == "accepted"
    assert ask(address, "select count(*) from orders") == [(0,)]


def test_a_full_disk_loses_nothing_acknowledged_and_the_work_goes_on_after_it(
    disk: Disk, store: Store, queue: Queue, address: str
) -> None:
    acknowledged = {"first"}
    disk.inject("write", 1, "ENOSPC", of="-wal", for_ever=True)
    for n in range(5):
        with pytest.raises((StoreFull, OutcomeUnknown)):
            queue.enqueue(b"hello", key=f"refused {n}")
    disk.heal()
    for n in range(5):
        queue.enqueue(b"hello", key=f"accepted {n}")
        acknowledged.add(f"accepted {n}")

    claims = queue.claim(limit=100)
    assert queue.ack_many(claims) == []

    assert acknowledged <= {claim.message.key for claim in claims}
    assert ask(address, "pragma integrity_check") == [("ok",)]


def test_a_database_at_its_quota_is_full_and_drains(disk: Disk, store: Store, queue: Queue) -> None:
    connection(store).pragma("max_page_count", connection(store).pragma("page_count") + 8)

    with pytest.raises(StoreFull):
        for _ in range(100):
            queue.enqueue(random.randbytes(4000))

    stored = len(store.deliveries(limit=1000))
    claims = queue.claim(limit=1000)
    assert len(claims) == stored > 1
    assert queue.ack_many(claims) == []
