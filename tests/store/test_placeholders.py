"""SQL of a caller's own takes `?` and `:name`, on every engine, and no other placeholder."""

from __future__ import annotations

from typing import Any

import pytest

from fencepost import SqlError, Store
from fencepost.store.rules import placeholders

TAKEN: list[tuple[str, Any, list[tuple[Any, ...]]]] = [
    ("select ?, ?", (1, 2), [(1, 2)]),
    ("select :a, :b_2, :a", {"a": 1, "b_2": 2}, [(1, 2, 1)]),
    ("select '$1 @x ?1 :y', ?", (1,), [("$1 @x ?1 :y", 1)]),
    ("select 'it''s ?1', ?", (1,), [("it's ?1", 1)]),
    ('select ? as "$1", 2 as [@x], 3 as `?1`', (1,), [(1, 2, 3)]),
    ("select ? -- $1\n", (1,), [(1,)]),
    ("select ? /* @x\n?2 */", (1,), [(1,)]),
    ("select ? as a$1", (1,), [(1,)]),
    ("select '{\"a\": 5}' ->> '$.a', 1e3, 0x1f, x'24'", (), [(5, 1000.0, 31, b"$")]),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("select ?1", (1,), "?1"),
    ("select $1", (1,), "$1"),
    ("select $a", {"a": 1}, "$a"),
    ("select @a", {"a": 1}, "@a"),
    ("select :1", (1,), ":1"),
    ("select 'it''s', ?1", (1,), "?1"),
    ("select '?' /* ? */, $1 -- ?", (1,), "$1"),
    ("select :a", (1,), ":a"),
    ("select ?", {"a": 1}, "?"),
    ("select 1 as [a], @b", {"b": 1}, "@b"),
]


# READ-10
@pytest.mark.parametrize(("sql", "parameters", "rows"), TAKEN)
@pytest.mark.sql
def test_two_kinds_of_placeholders_are_taken_and_none_is_seen_in_texts_names_and_comments(
    store: Store, sql: str, parameters: Any, rows: list[Any]
) -> None:
    assert store.read(sql, parameters) == rows
    with store.transaction() as tx:
        assert tx.execute(sql, parameters) == rows


# READ-10
@pytest.mark.parametrize(("sql", "parameters", "named"), REFUSED)
@pytest.mark.sql
def test_other_placeholders_are_refused_and_the_transaction_goes_on(
    store: Store, sql: str, parameters: Any, named: str
) -> None:
    with pytest.raises(SqlError, match="placeholder") as read:
        store.read(sql, parameters)
    assert f"placeholder {named} " in str(read.value)

    with store.transaction() as tx:
        tx.execute("create table mine (n)")
        with pytest.raises(SqlError, match="placeholder"):
            tx.execute(sql, parameters)
        tx.execute("insert into mine values (?)", (1,))
    assert store.read("select n from mine") == [(1,)]


def test_a_text_that_does_not_end_hides_what_comes_after_it() -> None:
    assert placeholders.wrong("select 'a ?1", ()) is None
    assert placeholders.wrong('select "a ?1', ()) is None
    assert placeholders.wrong("select 1 /* $1", ()) is None
