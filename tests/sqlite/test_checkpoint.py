"""Checkpoints: the WAL stays small, and no commit fails for one that could not be done."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator

import apsw
import pytest

from fencepost import Queue, Store, connect
from fencepost.stress.sqlite.disk.disk import Disk

from .inside import ask, session

MEGABYTE = 1024 * 1024


def _wal_size(store: Store) -> int:
    return os.stat(f"{store.engine.identity.address}-wal").st_size


@pytest.fixture
def reader(address: str, store: Store) -> Iterator[apsw.Connection]:
    """A foreign connection in the middle of a read."""
    with contextlib.closing(apsw.Connection(address)) as other:
        other.execute("begin; select count(*) from fp_message").fetchall()
        yield other


# P4, WAL-1
def test_the_wal_stays_small_over_thousands_of_commits(address: str) -> None:
    largest = 0
    with connect(address, durability="normal") as store:
        queue = store.queue("mail")
        for n in range(5_000):
            queue.enqueue(b"x" * 500, key=f"{n}")
            if n % 100 == 0:
                largest = max(largest, _wal_size(store))

    assert MEGABYTE < largest < 8 * MEGABYTE


# WAL-1
def test_the_wal_is_cut_back_once_a_reader_has_let_it_grow(
    store: Store, queue: Queue, reader: apsw.Connection
) -> None:
    for _ in range(12):
        queue.enqueue(random.randbytes(MEGABYTE))
    grown = _wal_size(store)
    reader.execute("rollback")

    for _ in range(12):
        queue.enqueue(random.randbytes(MEGABYTE))

    assert grown > 10 * MEGABYTE
    assert _wal_size(store) < 10 * MEGABYTE


# P5, WAL-7
def test_a_reader_holds_pages_back_and_the_report_says_so(
    store: Store, queue: Queue, reader: apsw.Connection
) -> None:
    queue.enqueue(b"hello")

    held = session(store).checkpoint()
    reader.execute("rollback")
    free = session(store).checkpoint()

    assert (held.complete, free.complete) == (False, True)
    assert held.moved < held.pages


def test_a_checkpoint_that_fails_fails_no_commit(disk: Disk, address: str) -> None:
    with connect(address) as store:
        disk.inject("write", 1, "EIO", of=".db", for_ever=True)
        queue = store.queue("mail")

        statuses = [queue.enqueue(random.randbytes(MEGABYTE), key=f"{n}").status for n in range(8)]
        failed = disk.met
        disk.heal()
        queue.enqueue_many([{"body": random.randbytes(MEGABYTE)} for _ in range(5)])

        assert failed > 0
        assert statuses == ["accepted"] * 8
        assert session(store).checkpoint().complete
    assert ask(address, "select count(*) from fp_message") == [(13,)]
    assert ask(address, "pragma integrity_check") == [("ok",)]


# WAL-3
def test_whoever_closes_last_leaves_no_wal(address: str) -> None:
    first, last = connect(address), connect(address)
    first.queue("mail").enqueue(b"hello")

    first.close()
    assert os.path.exists(f"{address}-wal")
    last.close()

    assert not os.path.exists(f"{address}-wal")
    assert ask(address, "select count(*) from fp_message") == [(1,)]
