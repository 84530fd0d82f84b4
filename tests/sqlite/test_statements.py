"""A user's statements that fail: told by name, and what they leave of the transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fencepost import FencepostError, Queue, SqlError, Store

from .inside import ask, connection


def _rows(path: str) -> list[object]:
    return [ask(path, "select * from own"), ask(path, "select * from fp_message")]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("select ?", ()),
        ("select ?", (1, 2)),
        ("select ?", ({},)),
        ("select ?", (object(),)),
        ("select ?", (2**63,)),
        ("select ?", ("\ud800",)),
        ("select ?", (b"x" * (27 * 1024 * 1024),)),
        ("select :a", (1, 2)),
        ("select ?", 5),
        ("selec 1", ()),
        ("select no_such_column", ()),
        ("select '\ud800'", ()),
        (b"select 1", ()),
        ("insert into own (id) values (1)", ()),
        ("select load_extension('x')", ()),
    ],
)
def test_a_statement_that_makes_no_sense_is_refused_and_the_rest_goes_on(
    user: Store, sql: Any, parameters: Sequence[Any] | Mapping[str, Any]
) -> None:
    with user.transaction() as tx:
        tx.execute("update own set a = 'before'")
        with pytest.raises(SqlError) as caught:
            tx.execute(sql, parameters)
        tx.execute("update own set a = a || ' and after'")

    assert caught.value.code == "sql_error"
    assert ask(user.engine.identity.address, "select a from own") == [("before and after",)]


def test_parameters_are_given_by_place_or_by_name(user: Store) -> None:
    with user.transaction() as tx:
        assert tx.execute("select ?, ?", (1, b"x")) == [(1, b"x")]
        assert tx.execute("select :a, :b", {"a": None, "b": "y"}) == [(None, "y")]


@pytest.mark.parametrize("swallows", [True, False])
def test_a_statement_that_ends_the_transaction_fails_the_whole_block(
    user: Store, queue: Queue, address: str, swallows: bool
) -> None:
    before = _rows(address)

    with pytest.raises(SqlError), user.transaction() as tx:
        queue.enqueue(b"gone")
        tx.execute("update own set a = 'gone'")
        try:
            tx.execute("insert or rollback into own (id) values (1)")
        except SqlError:
            if not swallows:
                raise
        with pytest.raises(FencepostError):
            tx.execute("update own set a = 'after'")
        with pytest.raises(FencepostError):
            queue.enqueue(b"after")

    assert _rows(address) == before
    assert not connection(user).in_transaction
    assert queue.enqueue(b"next").status == "accepted"


def test_a_transaction_that_has_ended_takes_no_more_statements(user: Store) -> None:
    with user.transaction() as stale:
        pass

    with pytest.raises(SqlError), user.transaction():
        stale.execute("update own set a = 'late'")
    with pytest.raises(SqlError):
        stale.execute("update own set a = 'late'")

    assert ask(user.engine.identity.address, "select a from own") == [("kept",)]
