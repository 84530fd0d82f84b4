"""Counters: each delivery counts once, however often its handler was called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from fencepost import App, Context, Discard, InvalidInput, LimitExceeded, testing
from fencepost.testing import Clock, Result, enqueue
from fencepost.testing.temporary import temporary_store

from .attempts import make_unsure
from .conftest import Place

APP = '''
import os, signal
from pathlib import Path

from fencepost import App
from fencepost.store.sqlite.session.transactions import Block

app = App("hooks.db")
commit = Block._commit
chosen = set()


def die_once(at):
    """End like a process whose power is cut, the first time that it comes here."""
    if at in chosen and not Path(at).exists():
        Path(at).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def dies(block):
    if block._operation == "claim":
        die_once("before the ack")
    commit(block)
    if block._operation == "claim":
        die_once("after the ack")


Block._commit = dies


@app.task("work")
def work(message, ctx):
    def insert(tx):
        ctx.count("steps")
        die_once("in the transaction")

    chosen.add(message.body.decode())
    ctx.count("outside", 2)
    ctx.step("insert", insert, in_transaction=True)
    die_once("after the step")
    if message.body == b"fails" and ctx.attempt == 1:
        raise RuntimeError("once more")
'''


def run(handler: Callable[..., Any], **options: Any) -> tuple[Result, dict[str, int]]:
    """Run a handler as a task until its delivery has ended; return what was counted."""
    app, clock = App("unused.db"), Clock()
    app.task("work", max_attempts=5)(handler)
    with temporary_store(clock) as store:
        result = enqueue(app, "work", b"body", attempts=None, store=store, clock=clock, **options)
        return result, store.counters()


# COUNTER-1, COUNTER-2
@pytest.mark.parametrize(
    "at", ["before the ack", "after the ack", "in the transaction", "after the step", "fails"]
)
def test_a_worker_that_dies_counts_each_delivery_once(place: Place, at: str) -> None:
    place.store.queue("work").enqueue_many([{"body": body} for body in (at.encode(), b"", b"")])

    place.drain("--workers", "1")

    assert (place.folder / at).exists() == (at != "fails")
    assert place.store.queue("work").stats().done == 3
    assert place.store.counters() == {"outside": 6, "steps": 3}


# COUNTER-1
def test_an_attempt_that_fails_counts_nothing() -> None:
    def work(message: Any, ctx: Context) -> None:
        ctx.count("mails", 3)
        ctx.count("mails")
        if ctx.attempt < 3:
            raise RuntimeError("not yet")

    result, counters = run(work)

    assert (result.attempt, counters) == (3, {"mails": 4})


# COUNTER-1
def test_an_attempt_that_sleeps_counts_nothing() -> None:
    def work(message: Any, ctx: Context) -> None:
        ctx.count("mails")
        try:
            ctx.sleep("a while", 60)
        finally:
            if ctx.suspended:
                with pytest.raises(BaseException, match="sleep"):
                    ctx.count("mails")

    assert run(work)[1] == {"mails": 1}


# COUNTER-1
def test_a_delivery_that_is_given_up_counts_nothing() -> None:
    def work(message: Any, ctx: Context) -> None:
        ctx.count("mails")
        raise Discard("no")

    assert run(work)[1] == {}


# COUNTER-1
def test_a_transaction_counts_what_was_counted_before_it_and_within() -> None:
    def work(message: Any, ctx: Context) -> None:
        ctx.count("before")
        if ctx.attempt == 1:
            with pytest.raises(ZeroDivisionError), ctx.transaction():
                ctx.count("within", 100)
                raise ZeroDivisionError
            assert ctx.counted == {"before": 1}
        with ctx.transaction():
            ctx.count("within")
            if ctx.attempt == 1:
                raise RuntimeError("once more")

    assert run(work)[1] == {"before": 1, "within": 1}


# COUNTER-1
def test_a_step_in_a_transaction_counts_once_for_all_attempts() -> None:
    def work(message: Any, ctx: Context) -> None:
        ctx.step("s", lambda tx: ctx.count("steps"), in_transaction=True)
        with pytest.raises(KeyError):
            ctx.step("t", undone, ctx, in_transaction=True, record=KeyError)
        if ctx.attempt == 1:
            raise RuntimeError("once more")

    def undone(tx: Any, ctx: Any) -> None:
        ctx.count("undone")
        raise KeyError("k")

    assert run(work)[1] == {"steps": 1}


# COUNTER-1
@pytest.mark.parametrize("committed", [True, False])
def test_a_step_whose_commit_is_unknown_counts_once(committed: bool) -> None:
    def work(message: Any, ctx: Context) -> None:
        make_unsure(ctx, committed=committed)
        ctx.step("s", lambda tx: ctx.count("steps"), in_transaction=True)

    assert run(work)[1] == {"steps": 1}


# COUNTER-2
def test_a_count_that_a_replay_would_lose_is_refused() -> None:
    def work(message: Any, ctx: Context) -> str:
        with pytest.raises(InvalidInput, match="within step 's'") as refused:
            ctx.step("s", lambda: ctx.count("mails"))
        assert refused.value.operation == "count"
        wrong: list[BaseException] = []

        def elsewhere() -> None:
            try:
                ctx.count("mails")
            except InvalidInput as error:
                wrong.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return str(wrong[0])

    result, counters = run(work)

    assert "in another thread" in result.result
    assert counters == {}


# COUNTER-2
def test_nothing_is_counted_after_the_attempt() -> None:
    contexts: list[Context] = []

    def work(message: Any, ctx: Context) -> None:
        contexts.append(ctx)
        if ctx.attempt == 1:
            raise RuntimeError("once more")
        with ctx.transaction():
            ctx.count("mails")
        with pytest.raises(InvalidInput, match="after the end"):
            ctx.count("mails")

    assert run(work)[1] == {"mails": 1}
    with pytest.raises(InvalidInput, match="after the end"):
        contexts[0].count("mails")


# COUNTER-3
def test_what_cannot_be_counted_is_refused() -> None:
    with testing.Context() as ctx:
        for name in ("", "x" * 201, "a\nb", None, 7):
            with pytest.raises(InvalidInput, match="printable"):
                ctx.count(name)  # type: ignore[arg-type]
        for by in (-1, 1.5, True, "1", 2**63):
            with pytest.raises(InvalidInput, match="by must be"):
                ctx.count("n", by)  # type: ignore[arg-type]
        for n in range(1000):
            ctx.count(f"n{n}", 0)
        ctx.count("n7", 2**63 - 1)
        ctx.count("n7")
        with pytest.raises(LimitExceeded):
            ctx.count("one more")

        assert ctx.counted["n7"] == 2**63 - 1
        assert len(ctx.counted) == 1000


# COUNTER-1
def test_coroutine_handlers_count_as_others_do() -> None:
    async def work(message: Any, ctx: Context) -> None:
        ctx.count("mails", 2)
        await ctx.step("s", lambda tx: ctx.count("steps"), in_transaction=True)
        if ctx.attempt == 1:
            raise RuntimeError("once more")

    assert run(work)[1] == {"mails": 2, "steps": 1}
