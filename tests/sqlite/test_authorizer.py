"""What a user's SQL may do in a transaction of the store: anything to tables of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import Queue, SqlError, Store, connect
from fencepost.store.sqlite.session.authorizer import _USERS

from .inside import ask, connection

FORBIDDEN = [
    "commit",
    "COMMIT",
    "/* */ end",
    "rollback",
    "begin",
    "select 1; commit",
    "pragma user_version = 9",
    "pragma journal_mode",
    "pragma writable_schema = on",
    "select * from pragma_user_version",
    "attach 'other.db' as other",
    "attach ':memory:' as other",
    "detach main",
    "vacuum",
    "vacuum into 'copy.db'",
    "analyze",
    "analyze fp_delivery",
    "create trigger t after insert on own begin delete from own; end",
    "create trigger t after insert on fp_message begin delete from own; end",
    "create temp trigger t after insert on fp_message begin delete from own; end",
    "create view v as select 1",
    "create temp view fp_message as select 1",
    "create virtual table v using fts5(a)",
    "create table fp_own (a)",
    "create table FP_OWN (a)",
    'create table "fp_own" (a)',
    "create temp table fp_message (a)",
    "create table temp.fp_delivery as select 1",
    "create table if not exists fp_message (a)",
    "create index fp_own on own (a)",
    "create index own_index on fp_message (event)",
    "drop index fp_message_key",
    "drop table fp_message",
    "drop table if exists FP_MESSAGE",
    "alter table fp_message add column a text",
    "alter table fp_message rename to own_message",
    "alter table fp_message drop column event",
    "alter table own rename to fp_own",
    "alter table own rename to other",
    "create table plain (a); alter table plain rename to fp_plain",
    "insert into fp_store (one, boot_id, boot_offset_ms, last_fence) values (2, '', 0, 0)",
    "replace into fp_store select * from fp_store",
    "insert into main.fp_worker default values",
    "update fp_delivery set state = 'done'",
    "update Fp_Delivery set state = 'done' returning id",
    "update fp_delivery set state = own.a from own",
    "update fp_store set last_fence = 0",
    "delete from fp_message",
    "with gone as (select 1) delete from fp_delivery where id in (select * from gone)",
    "with x as (select 1) insert into fp_worker select * from fp_worker",
    "explain delete from fp_message",
    "delete from sqlite_sequence",
    "update sqlite_sequence set seq = 0",
    "insert into sqlite_sequence values ('fp_delivery', 0)",
    "create table plain (a); drop table plain; delete from sqlite_sequence",
    "delete from sqlite_master",
    "update sqlite_master set sql = ''",
]


def _all_of(path: str) -> list[object]:
    tables = [row[0] for row in ask(path, "select name from sqlite_schema where type = 'table'")]
    contents: list[object] = [ask(path, "select type, name, sql from sqlite_schema")]
    for table in tables:
        contents.append(ask(path, f"select * from {table}"))  # noqa: S608 - names of our own
    return contents


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_is_not_allowed_is_refused_and_the_transaction_goes_on(
    user: Store, address: str, tmp_path: Path, sql: str
) -> None:
    before = _all_of(address)
    files = sorted(tmp_path.iterdir())

    with user.transaction() as outer:
        with pytest.raises(SqlError) as caught, user.transaction() as tx:
            tx.execute(sql)
        outer.execute("update own set a = 'went on'")
        outer.execute("update own set a = 'kept'")

    assert caught.value.path == address
    assert _all_of(address) == before
    assert sorted(tmp_path.iterdir()) == files
    connect(address).close()


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("commit", "transaction control"),
        ("pragma journal_mode", "PRAGMA"),
        ("alter table own rename to other", "renaming a table"),
        ("delete from FP_Message", "changing fp_message"),
    ],
)
def test_the_error_names_what_is_not_allowed(user: Store, sql: str, what: str) -> None:
    with user.transaction() as tx, pytest.raises(SqlError, match=f"^{what} is not allowed"):
        tx.execute(sql)


def test_tables_of_the_users_own_can_be_made_filled_and_dropped(user: Store, address: str) -> None:
    with user.transaction() as tx:
        tx.execute("create table other (n integer primary key autoincrement, a, b)")
        tx.execute("create unique index other_a on other (a)")
        tx.execute("alter table other add column c")
        tx.execute("alter table other rename column c to d")
        tx.execute("alter table other drop column b")
        tx.execute("insert into other (a) select a from own")
        tx.execute("insert into other (a) values ('x') on conflict do nothing")
        tx.execute("create temp table scratch as select * from other")
        tx.execute("delete from other where a = 'x'; update other set d = 1")
        assert tx.execute("select a, d from other") == [("kept", 1)]
        tx.execute("drop index other_a")
        tx.execute("drop table other")

    assert ask(address, "select name from sqlite_schema where name like 'other%'") == []


def test_what_the_store_keeps_compiled_is_not_the_users_to_run(
    user: Store, queue: Queue, address: str
) -> None:
    texts: list[str] = []

    def note(_: object, sql: str, __: object) -> bool:
        texts.append(sql)
        return True

    connection(user).exec_trace = note
    (claim,) = queue.claim()
    claim.ack()
    connection(user).exec_trace = None
    changes = [sql for sql in texts if sql.split()[0] in ("update", "delete")]
    before = _all_of(address)

    assert len(changes) >= 5
    for sql in changes:
        for text in (sql, f"select 1;{sql}", f"{_USERS}{sql}") * 3:
            with user.transaction() as tx, pytest.raises(SqlError, match="changing fp_"):
                tx.execute(text, {})
    assert _all_of(address) == before


def test_a_statement_that_comes_again_is_what_it_says_by_then(user: Store, address: str) -> None:
    for column in ("a", "b"):
        with user.transaction() as tx:
            tx.execute(f"create table other ({column})")
            for n in range(4):
                tx.execute("insert into other values (?)", (n,))
                tx.execute("insert into other values (?)", [n])
            assert len(tx.execute(f"select {column} from other")) == 8  # noqa: S608 - a name of ours
            tx.execute("drop table other")
            with pytest.raises(SqlError, match="no such table"):
                tx.execute("insert into other values (?)", (1,))


def test_the_stores_tables_can_be_read(user: Store) -> None:
    with user.transaction() as tx:
        rows = tx.execute("select m.key, d.state from fp_message m join fp_delivery d on true")

    assert rows == [("k", "ready")]


def test_savepoints_are_the_users_to_use(user: Store) -> None:
    with user.transaction() as tx:
        tx.execute("savepoint mine; update own set a = 'gone'; rollback to mine; release mine")
        tx.execute("savepoint mine; update own set a = 'new'; release mine")

    with user.transaction() as tx:
        assert tx.execute("select a from own") == [("new",)]


def test_the_store_itself_is_not_held_to_the_users_limits(user: Store, queue: Queue) -> None:
    with user.transaction() as tx:
        with pytest.raises(SqlError):
            tx.execute("delete from fp_message")
        queue.enqueue(b"more")

    assert queue.stats().ready == 2
