"""What only tests of the SQLite engine are given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fencepost import Queue, Store
from fencepost.stress.sqlite.disk.disk import Disk
from fencepost.stress.sqlite.disk.disk import disk as fail_when_told


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Where all databases lie that a test opens; it fails when told to."""
    with fail_when_told() as here:
        yield here


@pytest.fixture
def user(store: Store, queue: Queue) -> Store:
    """The store, with a table of the user's own and a message."""
    queue.enqueue(b"hello", key="k")
    with store.transaction() as tx:
        tx.execute("create table own (id integer primary key autoincrement, a)")
        tx.execute("insert into own (a) values ('kept')")
    return store
