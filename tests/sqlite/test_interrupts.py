"""An exception of a signal's handler, at any point of a call, leaves nothing behind."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import pytest

from fencepost import Queue, Store, connect
from fencepost.store.sqlite.queue import settle

from . import invariants
from .inside import connection, gate_is_free, is_in_use, session
from .interrupts import Interrupted, everywhere


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    """A store that does not wait for the disk at each of many commits."""
    with connect(address, durability="normal") as opened:
        yield opened
    invariants.check(address)


_names = map(str, itertools.count())


def _complete(store: Store) -> None:
    store.queue("mail").enqueue(b"work")
    for claim in store.queue("mail").claim():
        with claim.transaction() as tx:
            tx.execute("insert into t values (1)")


def _transact(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("insert into t values (1)")


def _nest(store: Store) -> None:
    with store.transaction():
        store.queue("mail").enqueue(b"nested")


_CALLS: dict[str, Callable[[Store], object]] = {
    "enqueue": lambda store: store.queue("mail").enqueue(b"work"),
    "claim": lambda store: store.queue("mail").claim(),
    "transaction": _transact,
    "savepoint": _nest,
    "complete": _complete,
    "lease": lambda store: store.leases.acquire(next(_names)).release(),
    "stats": lambda store: store.stats(),
}


@pytest.mark.parametrize("name", _CALLS)
def test_an_interrupted_call_leaves_no_transaction_and_no_gate(
    address: str, store: Store, name: str
) -> None:
    with store.transaction() as tx:
        tx.execute("create table t (a)")
    interrupted = 0
    with ThreadPoolExecutor(1) as pool:
        for call in everywhere(lambda: _CALLS[name](store)):
            try:
                call()
            except Interrupted:
                interrupted += 1

            assert not connection(store).in_transaction
            assert session(store).writing is None
            assert gate_is_free(address)
            assert not pool.submit(is_in_use, store).result(timeout=60)

    assert interrupted > 20


@pytest.mark.parametrize("within", [nullcontext, Store.transaction])
def test_what_is_stored_while_an_interrupt_is_handled_is_stored(
    address: str,
    store: Store,
    queue: Queue,
    within: Callable[[Store], AbstractContextManager[object]],
) -> None:
    keys = []
    for number, call in enumerate(everywhere(lambda: queue.enqueue(b"first"))):
        with within(store):
            try:
                call()
            except Interrupted:
                keys.append(f"{number}")
                assert queue.enqueue(b"second", key=keys[-1]).status == "accepted"

    with connect(address) as other:
        for key in keys:
            assert other.queue(queue.name).enqueue(b"second", key=key).status == "duplicate"


def test_a_transaction_within_which_a_call_was_interrupted_has_nothing_of_it(
    store: Store, queue: Queue
) -> None:
    for call in everywhere(lambda: queue.enqueue(b"whole or not at all")):
        before = queue.stats().ready
        done = False
        with store.transaction():
            try:
                call()
                done = True
            except Interrupted:
                pass

        after = queue.stats().ready
        assert after == before + done or after == before + 1
        assert [step for step in store.engine.upkeep.audit() if not step.ok] == []


def test_an_interrupt_while_a_part_is_undone_leaves_nothing_of_the_part(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("create table t (a)")

    def fail() -> None:
        with suppress(ValueError), store.transaction() as inner:
            inner.execute("insert into t values (1)")
            raise ValueError

    for call in everywhere(fail):
        with store.transaction(), suppress(Interrupted):
            call()

        assert store.read("select count(*) from t") == [(0,)]


def test_a_part_that_fails_after_an_interrupt_within_it_leaves_nothing(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("create table t (a)")

    def fail(handled: list[Interrupted]) -> None:
        with suppress(ValueError), store.transaction() as part:
            part.execute("insert into t values (1)")
            try:
                with store.transaction() as inner:
                    inner.execute("insert into t values (2)")
            except Interrupted as error:
                handled.append(error)
            raise ValueError

    def call() -> None:
        handled: list[Interrupted] = []
        fail(handled)
        if handled:
            raise handled[0]

    for interrupted in everywhere(call):
        with store.transaction(), suppress(Interrupted):
            interrupted()

        assert store.read("select count(*) from t") == [(0,)]


def test_a_store_is_closed_while_an_interrupt_is_handled(address: str) -> None:
    opened = [connect(address, durability="normal")]
    for call in everywhere(lambda: opened[-1].queue("mail").enqueue(b"work")):
        try:
            call()
        except Interrupted:
            opened[-1].close()
            opened.append(connect(address, durability="normal"))
    opened[-1].close()


def test_what_a_handler_stores_within_a_call_is_part_of_it(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = settle.ack
    handled = signal.signal(signal.SIGUSR1, lambda *_: queue.enqueue(b"from the handler"))

    def ack(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)
        genuine(*arguments)

    monkeypatch.setattr(settle, "ack", ack)
    queue.enqueue(b"work")
    (claim,) = queue.claim()
    try:
        claim.ack()
    finally:
        signal.signal(signal.SIGUSR1, handled)

    assert (queue.stats().ready, queue.stats().done) == (1, 1)
