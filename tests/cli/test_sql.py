"""fencepost sql: rows of a statement that only reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import connect

from .command import Command


@pytest.fixture
def filled(path: Path) -> Path:
    """A store with two messages."""
    with connect(str(path)) as store:
        store.queue("mail").enqueue(b"hello", key="one")
        store.queue("mail").enqueue(b"\xff\xfe", key="two")
    return path


# READ-8
def test_rows_are_a_table_or_json(filled: Path, command: Command) -> None:
    statement = "select id, key, body from fp_message join fp_body on message_id = id order by id"

    table = command("sql", statement)
    shown = command("sql", statement, "--json")

    assert table.code == shown.code == 0
    assert [line.split() for line in table.out.splitlines()] == [
        ["id", "key", "body"],
        ["1", "one", "hello"],
        ["2", "two", "x'fffe'"],
    ]
    assert shown.json() == [
        {"id": 1, "key": "one", "body": "hello"},
        {"id": 2, "key": "two", "body": "x'fffe'"},
    ]


# READ-8
def test_columns_of_one_name_and_odd_values_are_json_all_the_same(
    filled: Path, command: Command
) -> None:
    shown = command("sql", "select 1 as a, null as a, 9e999 as b, 'x' as a_2", "--json")

    assert shown.json() == [{"a": 1, "a_2": None, "b": "inf", "a_2_2": "x"}]
    assert command("sql", "select 1 where 0", "--json").json() == []


# READ-8
def test_it_says_when_it_stops_at_the_limit(filled: Path, command: Command) -> None:
    few = command("sql", "select id from fp_message", "--limit", "1", "--json")
    all_of_them = command("sql", "select id from fp_message", "--limit", "2", "--json")

    assert (len(few.json()), len(few.err.splitlines())) == (1, 1)
    assert "--limit" in few.err
    assert (len(all_of_them.json()), all_of_them.err) == (2, "")


# READ-9
@pytest.mark.parametrize(
    "statement",
    ["selec", "select * from nothing", "delete from fp_message", "select 1; select 2", "", "begin"],
)
def test_what_is_wrong_or_would_write_is_refused_in_one_line(
    filled: Path, command: Command, statement: str
) -> None:
    assert command("sql", statement).complains(2)
    assert command("sql", "select count(*) as n from fp_message", "--json").json() == [{"n": 2}]


# READ-9
def test_a_store_that_is_not_there_is_not_made(path: Path, command: Command) -> None:
    assert command("sql", "select 1").complains(2)
    assert list(path.parent.iterdir()) == []
