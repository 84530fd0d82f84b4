"""Schema versions: a file is brought up to date whole, once, or not at all."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from fencepost import connect
from fencepost.store.sqlite.file import schema

from ..processes import line_of, running, tell
from .inside import ask

# What two later versions could be.
CHAIN = (
    "alter table fp_worker add column note text; update fp_worker set note = 'old'",
    "create table fp_later (n integer) strict; insert into fp_later values (3)",
)

NEWEST = len(schema.MIGRATIONS) + 1

_MIGRATE = """
import os, sys, apsw
from fencepost.store.sqlite.file import schema
path, *migrations = sys.argv[1:]
connection = apsw.Connection(path)
connection.set_busy_timeout(60_000)
connection.create_scalar_function("die", lambda: os.kill(os.getpid(), 9))
print("ready", flush=True)
sys.stdin.readline()
schema.bring_up_to_date(connection, path, migrations)
print(connection.pragma("user_version"), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def connection(path: str) -> Iterator[apsw.Connection]:
    with contextlib.closing(apsw.Connection(path)) as opened:
        yield opened


def _tables(path: str) -> list[tuple[object, ...]]:
    return ask(path, "select type, name, tbl_name, sql from sqlite_schema order by name")


def test_an_empty_file_gets_the_newest_schema(connection: apsw.Connection, path: str) -> None:
    schema.bring_up_to_date(connection, path)

    assert schema.is_current(connection, path)
    assert ask(path, "pragma user_version") == [(NEWEST,)]
    assert ask(path, "pragma application_id") == [(schema.APPLICATION_ID,)]


# SCHEMA-1
@pytest.mark.parametrize("read", range(4))
def test_a_store_made_while_another_process_looks_is_not_taken_for_a_strangers(
    connection: apsw.Connection, path: str, read: int
) -> None:
    connection.pragma("journal_mode", "wal")
    statements = []

    def made_meanwhile(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        statements.append(sql)
        if len(statements) == read + 2:
            with contextlib.closing(apsw.Connection(path)) as other:
                schema.bring_up_to_date(other, path)
        return True

    connection.exec_trace = made_meanwhile
    seen = schema.is_current(connection, path)
    connection.exec_trace = None

    assert seen == (read == 0)
    assert len(statements) == 6
    assert schema.is_current(connection, path)


# KV-11
def test_a_file_brought_up_to_date_is_left_alone_by_the_next(
    connection: apsw.Connection, path: str
) -> None:
    schema.bring_up_to_date(connection, path)
    before = _tables(path)

    schema.bring_up_to_date(connection, path)

    assert _tables(path) == before


# SCHEMA-3
def test_an_older_file_takes_each_migration_after_the_other(path: str) -> None:
    with connect(path) as store:
        store.engine.pools.register(1)
    connection = apsw.Connection(path)
    connection.pragma("user_version", 1)

    schema.bring_up_to_date(connection, path, CHAIN)

    assert ask(path, "pragma user_version") == [(3,)]
    assert ask(path, "select note from fp_worker") == [("old",)]
    assert ask(path, "select n from fp_later") == [(3,)]
    connection.close()


def test_a_file_halfway_takes_the_rest_alone(connection: apsw.Connection, path: str) -> None:
    schema.bring_up_to_date(connection, path)
    connection.pragma("user_version", 2)

    schema.bring_up_to_date(connection, path, CHAIN)

    assert ask(path, "select count(*) from pragma_table_info('fp_worker') where name = 'note'") == [
        (0,)
    ]
    assert ask(path, "select n from fp_later") == [(3,)]


# SCHEMA-3
def test_a_migration_that_fails_leaves_the_version_before_it_whole(
    connection: apsw.Connection, path: str
) -> None:
    schema.bring_up_to_date(connection, path)
    connection.pragma("user_version", 1)
    before = _tables(path)

    with pytest.raises(apsw.SQLError):
        schema.bring_up_to_date(connection, path, (CHAIN[0] + "; select no_such_function()",))

    assert (ask(path, "pragma user_version"), _tables(path)) == ([(1,)], before)
    assert not connection.in_transaction


def test_a_migration_killed_in_its_middle_leaves_the_version_before_it_whole(
    tmp_path: Path, path: str
) -> None:
    with connect(path) as store:
        store.queue("mail").enqueue(b"hello", key="k")
    before = _tables(path)

    with running(
        ["-c", _MIGRATE, path, f"{CHAIN[1]}; drop table fp_worker; select die()"], cwd=tmp_path
    ) as process:
        assert line_of(process) == "ready"
        tell(process, "go")
        assert process.wait(60) == -signal.SIGKILL

    assert (ask(path, "pragma user_version"), _tables(path)) == ([(1,)], before)
    with connect(path) as store:
        assert store.queue("mail").enqueue(b"hello", key="k").status == "duplicate"


# SCHEMA-1, SCHEMA-4
def test_of_many_openers_one_migrates(tmp_path: Path, path: str) -> None:
    connect(path).close()
    with contextlib.ExitStack() as stack:
        openers = [
            stack.enter_context(running(["-c", _MIGRATE, path, *CHAIN], cwd=tmp_path))
            for _ in range(6)
        ]
        assert {line_of(opener) for opener in openers} == {"ready"}
        for opener in openers:
            tell(opener, "go")

        assert [line_of(opener) for opener in openers] == ["3"] * 6

    assert ask(path, "select n from fp_later") == [(3,)]
    assert (tmp_path / "stderr").read_text() == ""


def test_migrating_the_first_version_gives_the_newest_schema(path: str) -> None:
    connect(path).close()

    assert ask(path, "pragma user_version") == [(len(schema.MIGRATIONS) + 1,)]
    assert schema.MIGRATIONS == (), "keep the first schema.sql beside this test, and migrate it"


# SCHEMA-9, EFFECT-9
@pytest.mark.parametrize(
    "sql",
    [
        "update fp_store set last_fence = -1",
        "update fp_delivery set fence = -1",
        "update fp_delivery set attempt = -1",
        "update fp_delivery set max_attempts = 0",
        "update fp_delivery set state = 'lost'",
        "update fp_delivery set fence = 'one'",
        "update fp_queue set ready = -1",
        "update fp_lease set fence = -1",
        "update fp_once set fence = -1",
        "update fp_once set state = 'lost'",
    ],
)
def test_a_number_or_a_state_that_cannot_be_is_refused_by_the_tables(path: str, sql: str) -> None:
    with connect(path) as store:
        store.queue("mail").enqueue(b"work")
        store.leases.acquire("name")
        store.once("namespace", "key")
    with (
        contextlib.closing(apsw.Connection(path)) as stranger,
        pytest.raises(apsw.ConstraintError),
    ):
        stranger.execute(sql)
