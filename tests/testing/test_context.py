"""A context and a message for a handler that a test calls itself."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Any

import pytest

import fencepost
from fencepost import InvalidInput, LeaseLost, Message, connect
from fencepost.testing import Clock, Context, message


def handler(message: Message, ctx: fencepost.Context) -> str | None:
    """Write in a transaction, once."""
    if ctx.lost:
        return None
    with ctx.transaction() as tx:
        tx.execute("create table if not exists seen (key text, attempt integer)")
        tx.execute("insert into seen values (?, ?)", (message.key, ctx.attempt))
    return ctx.idempotency_key


# TESTING-8
def test_a_handler_is_called_with_a_message_and_a_context() -> None:
    with Context() as ctx:
        returned = handler(message("github", "push", {"ref": "main"}, key="d-1"), ctx)

        assert returned == ctx.idempotency_key
        assert ctx.completed
        assert ctx.store.read("select key, attempt from seen") == [("d-1", 1)]
        assert (ctx.attempt, ctx.lost) == (1, False)


# TESTING-8
def test_what_a_context_says_can_be_chosen() -> None:
    with Context(attempt=3, fence=77, idempotency_key="k", queue="deploy") as ctx:
        assert (ctx.attempt, ctx.fence, ctx.idempotency_key) == (3, 77, "k")
        assert handler(message(), ctx) == "k"
    with Context(message(key="a")) as first, Context(message(key="a")) as second:
        assert first.idempotency_key == second.idempotency_key
    with Context(message(key="b")) as other:
        assert other.idempotency_key != first.idempotency_key


# TESTING-8
@pytest.mark.parametrize("late", [False, True])
def test_a_lease_that_is_lost_refuses_what_a_real_one_would(late: bool) -> None:
    with Context(lost=not late) as ctx:
        if late:
            assert not ctx.lost
            ctx.lost = True

        assert ctx.lost
        assert handler(message(), ctx) is None
        with pytest.raises(LeaseLost), ctx.transaction() as tx:
            tx.execute("create table seen (key text)")
        with pytest.raises(LeaseLost):
            ctx.extend(30)
        assert ctx.store.read("select name from sqlite_schema where name = 'seen'") == []


# COUNTER-1
def test_what_a_handler_counts_can_be_seen(tmp_path: Path) -> None:
    with Context() as ctx:
        ctx.count("mails", 2)
        ctx.count("mails")

        assert ctx.counted == {"mails": 3}
        assert ctx.store.counters() == {}
        with ctx.transaction():
            ctx.count("bytes", 5)
        assert ctx.store.counters() == {"bytes": 5, "mails": 3}


# TESTING-8
def test_a_store_of_ones_own_stays_open_and_extend_is_allowed(tmp_path: Path) -> None:
    clock = Clock()
    with connect(tmp_path / "mine.db", clock=clock) as store:
        with Context(store=store) as ctx:
            clock.advance(3600)
            ctx.extend(60)
            handler(message(key="d-1"), ctx)

        assert store.read("select key from seen") == [("d-1",)]


# TESTING-8
@pytest.mark.parametrize("closed", [True, False])
def test_nothing_is_left_of_a_context(
    closed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ctx = Context()
    assert list(tmp_path.iterdir()) != []

    if closed:
        ctx.close()
        ctx.close()
    del ctx
    gc.collect()

    assert list(tmp_path.iterdir()) == []


# TESTING-8
def test_a_message_is_as_a_handler_would_have_it() -> None:
    found = message("github", "push", {"a": "é"}, key="d-1", headers={"X-Kind": "k"})

    assert (found.source, found.event, found.key) == ("github", "push", "d-1")
    assert found.json() == {"a": "é"}
    assert found.headers == {"x-kind": "k"}
    assert message().body == b""
    assert message(body="text").text() == "text"


# TESTING-8
@pytest.mark.parametrize(
    "options", [{"attempt": 0}, {"fence": 0}, {"queue": ""}, {"attempt": "1"}], ids=repr
)
def test_a_context_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Context(**options)


# TESTING-9
def test_a_clock_moves_when_told_to(tmp_path: Path) -> None:
    clock = Clock()
    with connect(tmp_path / "store.db", clock=clock) as store:
        queue = store.queue("mail")
        queue.enqueue(b"later", delay=60)

        before = queue.claim()
        clock.advance(59.9)
        early = queue.claim()
        clock.advance(0.1)
        (claim,) = queue.claim(lease=30)
        clock.advance(30)
        (again,) = queue.claim()

    assert (before, early) == ([], [])
    assert (claim.attempt, again.attempt) == (1, 2)
    with pytest.raises(InvalidInput):
        clock.advance(-1)
