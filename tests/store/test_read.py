"""store.read: rows for whoever only looks, whatever others have open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fencepost import InvalidInput, Queue, SqlError, Store

from ..kits import Kit
from ..processes import tell
from ..sqlite.holder import foreign_writer, holder

pytestmark = pytest.mark.sql

ENDLESS = "with recursive n (x) as (select 1 union all select x + 1 from n) select count(*) from n"


@pytest.fixture
def orders(store: Store) -> Store:
    """A store with a table of one's own."""
    with store.transaction() as tx:
        tx.execute("create table orders (number integer primary key, who text)")
        tx.execute("insert into orders values (1, 'ann'), (2, 'bob')")
    return store


# READ-1
def test_rows_come_as_tuples_in_the_order_asked_for(orders: Store) -> None:
    everything = orders.read("select * from orders order by number desc")

    assert everything == [(2, "bob"), (1, "ann")]
    assert orders.read("select who from orders where number = ?", (1,)) == [("ann",)]
    assert orders.read("select who from orders where number = :n", {"n": 2}) == [("bob",)]
    assert orders.read("select who from orders where number = ?", [3]) == []


# READ-1
def test_it_sees_what_the_same_store_has_just_committed(orders: Store) -> None:
    for number in range(3, 20):
        with orders.transaction() as tx:
            tx.execute("insert into orders values (?, 'eve')", (number,))
        assert orders.read("select max(number) from orders") == [(number,)]


# READ-2
@pytest.mark.processes
def test_it_answers_while_another_process_is_in_a_transaction(orders: Store, kit: Kit) -> None:
    with holder(kit.address) as process:
        assert orders.read("select count(*) from orders") == [(2,)]
        assert orders.stats() == {}
        tell(process, "go on")


# READ-2
@pytest.mark.sqlite("another program opens its file")
def test_it_answers_while_a_stranger_has_the_write_lock(orders: Store, kit: Kit) -> None:
    with foreign_writer(kit.address):
        assert orders.read("select count(*) from orders") == [(2,)]


_LOOKS: list[Callable[[Store], object]] = [
    lambda store: store.read("select count(*) from orders"),
    lambda store: store.stats(),
    lambda store: store.deliveries(),
    lambda store: store.workers(),
    lambda store: store.pools(),
    lambda store: store.events(),
    lambda store: store.leases.list(),
    lambda store: store.namespaces(),
    lambda store: store.keyed("a", "n").lookup("key"),
    lambda store: store.engine.upkeep.ping(),
]


# READ-3
@pytest.mark.parametrize("look", _LOOKS)
def test_a_thread_does_not_wait_for_another_threads_transaction(
    orders: Store, look: Callable[[Store], object]
) -> None:
    with orders.transaction() as tx, ThreadPoolExecutor(1) as pool:
        tx.execute("insert into orders values (3, 'eve')")
        orders.queue("mail").enqueue(b"")
        pool.submit(look, orders).result(timeout=60)

        seen = pool.submit(orders.read, "select count(*) from orders").result(timeout=60)

    assert seen == [(2,)]
    assert orders.read("select count(*) from orders") == [(3,)]


# READ-3
def test_many_threads_read_at_once_while_one_writes(orders: Store) -> None:
    together = threading.Barrier(8)

    def read(_: int) -> object:
        together.wait(60)
        return [orders.read("select count(*) from orders") for _ in range(20)]

    with orders.transaction() as tx, ThreadPoolExecutor(8) as pool:
        tx.execute("insert into orders values (3, 'eve')")
        found = list(pool.map(read, range(8)))

    assert found == [[[(2,)]] * 20] * 8


# READ-4
def test_within_a_transaction_of_ones_own_it_sees_what_was_written_there(orders: Store) -> None:
    with orders.transaction() as tx:
        tx.execute("insert into orders values (3, 'eve')")
        assert orders.read("select who from orders where number = 3") == [("eve",)]
        with pytest.raises(SqlError):
            orders.read("delete from orders")
        tx.execute("insert into orders values (4, 'fay')")

    assert orders.read("select count(*) from orders") == [(4,)]


# READ-5
@pytest.mark.parametrize(
    "sql",
    [
        *("insert into orders values (9, 'x')", "update orders set who = 'x'"),
        *("delete from orders", "delete from orders returning *", "drop table orders"),
        *("create table t (x)", "create temp table t (x)", "create index i on orders (who)"),
        *("begin", "begin immediate", "commit", "savepoint s", "vacuum", "vacuum into 'x.db'"),
        *("attach 'x.db' as x", "detach main", "analyze", "reindex"),
        *("pragma user_version = 7", "pragma journal_mode = delete", "pragma query_only = 0"),
        *("pragma wal_checkpoint(truncate)", "pragma writable_schema = 1", "pragma optimize"),
        "with gone as (select 1) delete from orders",
        "alter table orders add column x",
        "replace into orders values (1, 'x')",
    ],
)
def test_what_would_change_something_is_refused(orders: Store, sql: str) -> None:
    before = orders.read("pragma schema_version"), orders.read("select * from orders")

    with pytest.raises(SqlError) as caught:
        orders.read(sql)

    assert "\n" not in str(caught.value)
    assert caught.value.operation == "read"
    assert (orders.read("pragma schema_version"), orders.read("select * from orders")) == before


# READ-5
def test_one_statement_at_a_time(orders: Store) -> None:
    for sql in ("select 1; select 2", "select 1; delete from orders", "", " -- nothing"):
        with pytest.raises(SqlError, match=r"statement|refused"):
            orders.read(sql)

    assert orders.read("select 1; -- and no more") == [(1,)]


# READ-6
@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        *(("selec 1", ()), ("select * from nothing", ()), ("select ?", ()), ("select 1", (1,))),
        *(("select :a", {}), ("select ?", (object(),)), ("select ?", (2**70,))),
    ],
)
def test_bad_sql_is_an_error_and_the_next_read_is_answered(
    orders: Store, sql: str, parameters: tuple[object, ...]
) -> None:
    with pytest.raises(SqlError) as caught:
        orders.read(sql, parameters)

    assert caught.value.path == orders.engine.identity.address
    assert orders.read("select 1") == [(1,)]


# READ-6
@pytest.mark.parametrize(
    "arguments", [(None,), (b"select 1",), ("select ?", "a"), ("select ?", 1), ("select ?", None)]
)
def test_arguments_of_another_kind_are_refused(orders: Store, arguments: tuple[object]) -> None:
    with pytest.raises(InvalidInput):
        orders.read(*arguments)  # type: ignore[arg-type]


# READ-7
def test_a_statement_that_takes_too_long_is_stopped(orders: Store, queue: Queue) -> None:
    started = time.monotonic()

    with pytest.raises(SqlError, match=r"longer than 0\.1 s"):
        orders.read(ENDLESS, timeout=0.1)
    with orders.transaction() as tx:
        tx.execute("insert into orders values (3, 'eve')")
        with pytest.raises(SqlError, match="longer"):
            orders.read(ENDLESS, timeout=0.1)

    assert time.monotonic() - started < 30
    assert orders.read("select count(*) from orders") == [(3,)]  # and the transaction went on


# READ-1
def test_a_store_that_is_closed_reads_no_more(kit: Kit) -> None:
    store = kit.open()
    store.read("select 1")
    store.close()

    with pytest.raises(InvalidInput, match="closed"):
        store.read("select 1")
