"""What a write transaction costs of its own, whatever is done in it."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fencepost import Queue, Store
from fencepost.store.sqlite.file import status

from .inside import connection, session, traced

_LOOKED_AT = ("lstat", "stat", "statvfs", "getpid")


@contextmanager
def _calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count what the operating system is asked."""
    calls: Counter[str] = Counter()

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return call(*arguments, **options)

        return count

    with monkeypatch.context() as patch:
        for name in _LOOKED_AT:
            patch.setattr(os, name, counted(name, getattr(os, name)))
        if status._statx is not None:
            patch.setattr(status, "_statx", counted("statx", status._statx))
        yield calls


# COST-9
@pytest.mark.skipif(status._statx is None, reason="only statx can leave the times out")
@pytest.mark.parametrize("grows", [None, 100])
def test_a_transaction_looks_once_at_the_disk_and_twice_at_each_file_for_no_times(
    store: Store, monkeypatch: pytest.MonkeyPatch, grows: int | None
) -> None:
    with _calls(monkeypatch) as calls, session(store).write("test", grows=grows):
        pass

    assert calls == {"statx": 4, "statvfs": 1, "getpid": 2}


def test_a_statement_asks_the_operating_system_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(store).write("test") as write, _calls(monkeypatch) as calls:
        for _ in range(10):
            write.run("select 1")
            write.must("update fp_store set seen_ms = ?1", (1,))
        assert not calls


def test_a_transaction_is_two_statements_and_a_part_of_one_two_more(store: Store) -> None:
    with traced(store) as statements:
        with session(store).write("test"):
            pass
        with session(store).write("test", nests=True), session(store).write("test"):
            pass

    savepoint = ["savepoint fp_inner_0", "release fp_inner_0"]
    assert statements == ["begin immediate", "commit", "begin immediate", *savepoint, "commit"]


def test_a_statement_is_found_again_in_the_cache(store: Store) -> None:
    def work() -> None:
        with session(store).write("test", nests=True) as write:
            write.run("update fp_store set seen_ms = ?1", (1,))
            with session(store).write("test"):
                pass

    work()
    before = connection(store).cache_stats()
    for _ in range(10):
        work()

    after = connection(store).cache_stats()
    assert (after["misses"], after["evictions"]) == (before["misses"], before["evictions"])
    assert after["hits"] > before["hits"]


# COST-11
def test_a_users_statement_is_compiled_the_first_two_times(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("create table effects (key text, fence integer)")
    before = connection(store).cache_stats()

    for n in range(10):
        with store.transaction() as tx:
            tx.execute("insert into effects values (?, ?)", (f"{n}", n))

    after = connection(store).cache_stats()
    assert after["no_cache"] == before["no_cache"] + 1
    assert after["misses"] == before["misses"] + 2  # the one that is not kept counts here too
    assert len(store.read("select 1 from effects")) == 10


# COST-11
def test_statements_that_come_once_push_none_of_the_stores_out(store: Store, queue: Queue) -> None:
    def work() -> None:
        queue.enqueue(b"", key=f"{next(numbers)}")
        (claim,) = queue.claim()
        with claim.transaction() as tx:
            tx.execute("insert into effects values (?)", (1,))

    numbers = itertools.count()
    with store.transaction() as tx:
        tx.execute("create table effects (n)")
    work()
    work()
    with store.transaction() as tx:
        for n in range(300):
            tx.execute(f"insert into effects values ({n})")  # noqa: S608 - a number
    before = connection(store).cache_stats()

    work()

    after = connection(store).cache_stats()
    assert after["evictions"] == before["evictions"]
    assert after["misses"] == before["misses"] + 1  # the user's own, which was met long ago
