"""Handlers that remember without end: each delivery has a bound, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, LimitExceeded, Store, WaitTimeout, connect
from fencepost.store.types.messages.draft import Draft
from fencepost.testing import Clock, Result
from fencepost.testing.running import run_deliveries

from .attempts import run

SOURCE = "github"


class Site:
    """An app with one handler, which goes on whenever its delivery can be claimed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.app = App("unused.db", url="https://hooks.example.com")
        self.app.source(SOURCE, scheme="github", secret="s", keep_body_for=86_400)

    def run(self, handler: Any) -> Result:
        """Run the handler until its delivery has ended, whatever it sleeps or waits for."""
        self.app.task("work")(handler)
        receipt = self.store.queue("work").enqueue(b"", key="k")
        for _ in range(50):
            (result,) = run_deliveries(self.app, self.store, self.clock, receipt, 1)
            if result.state != "sleeping":
                return result
            self.clock.advance(60)
        raise AssertionError("it sleeps for ever")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("fencepost.app.steps.journal.MOST_RECORDS", 10)
    monkeypatch.setattr("fencepost.app.steps.sleeping.sleeps.MOST_WAITS", 10)
    clock = Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        yield Site(store, clock)


def timed_out(ctx: Context, name: str) -> None:
    """Wait for an answer that nobody gives."""
    try:
        ctx.wait(name, timeout=60)
    except WaitTimeout:
        return
    raise AssertionError("somebody has answered")


# STEP-32
def test_a_handler_that_sleeps_for_ever_is_dead_at_its_bound(site: Site) -> None:
    def work(message: Any, ctx: Context) -> None:
        while True:
            ctx.sleep("poll", 60)

    result = site.run(work)

    assert result.state == "dead", result
    assert "at most 10 recorded steps and sleeps" in str(result.error)
    assert site.store.read("select count(*) from fp_step") == [(10,)]


# STEP-32
@pytest.mark.parametrize("names", ["the same", "new ones"])
def test_a_handler_that_waits_for_ever_is_dead_at_its_bound(site: Site, names: str) -> None:
    numbers = itertools.count()

    def work(message: Any, ctx: Context) -> None:
        while True:
            timed_out(ctx, "poll" if names == "the same" else f"poll {next(numbers)}")

    result = site.run(work)

    assert result.state == "dead", result
    assert "at most 10 waits" in str(result.error)
    assert site.store.read("select count(*) from fp_wait") == [(10,)]


# STEP-32
def test_a_handler_that_waits_for_events_for_ever_is_dead_at_its_bound(site: Site) -> None:
    numbers = itertools.count()

    def work(message: Any, ctx: Context) -> None:
        while True:
            draft = Draft(SOURCE, SOURCE, f"e{next(numbers)}", "push", {}, b"{}", ())
            site.store.engine.queue.enqueue([draft])
            ctx.wait_for(SOURCE)

    result = site.run(work)

    assert result.state == "dead", result
    assert "at most 10 recorded steps" in str(result.error)


# STEP-32
def test_waits_side_by_side_count_before_they_are_stored(site: Site) -> None:
    async def work(message: Any, ctx: Context) -> None:
        await ctx.gather(*(ctx.wait(f"w{number}") for number in range(11)))

    result = site.run(work)

    assert result.state == "dead", result
    assert "at most 10 waits" in str(result.error)


# STEP-12
def test_beside_a_sleep_an_outcome_that_cannot_be_kept_is_not_asked_for_again(site: Site) -> None:
    calls: list[int] = []

    async def work(message: Any, ctx: Context) -> None:
        def large() -> object:
            calls.append(1)
            return object()

        await ctx.gather(ctx.sleep("cool-down", 60), ctx.step("large", large))

    result = site.run(work)

    assert result.state == "dead", result
    assert "could not be kept" in str(result.error)
    assert calls == [1]


# STEP-32
def test_a_handler_that_swallows_its_bound_is_dead_all_the_same(site: Site) -> None:
    def work(message: Any, ctx: Context) -> str:
        for number in range(12):
            try:
                ctx.step(f"s{number}", int)
            except LimitExceeded:
                return "went on"
        raise AssertionError("there was no bound")

    assert site.run(work).state == "dead"


# STEP-32
def test_the_time_is_recorded_up_to_the_bound(site: Site) -> None:
    def work(message: Any, ctx: Context) -> None:
        while True:
            ctx.now()

    assert site.run(work).state == "dead"


# WAIT-1
def test_a_name_asked_for_too_often_has_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fencepost.store.waiting.wait_token._MOST", 5)

    def work(message: Any, ctx: Context) -> str:
        for _ in range(5):
            with contextlib.suppress(ZeroDivisionError):
                ctx.step("poll", lambda: 1 / 0)
        return ctx.wait_url("poll")

    result = run(work, max_attempts=1, url="https://hooks.example.com")

    assert isinstance(result.exception, LimitExceeded)


# STEP-25
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("wrong", [5, None, []])
def test_gather_begins_nothing_when_one_is_no_step(wrong: Any) -> None:
    calls: list[int] = []

    async def work(message: Any, ctx: Context) -> str:
        try:
            await ctx.gather(ctx.step("a", calls.append, 1), wrong)
        except InvalidInput as error:
            await asyncio.sleep(0)
            return str(error)
        raise AssertionError("it was gathered")

    result = run(work)

    assert "ctx.gather takes steps, not" in result.result
    assert calls == []


# STEP-25
def test_gather_in_a_plain_handler_is_refused() -> None:
    result = run(lambda message, ctx: ctx.gather(ctx.step("a", int)), max_attempts=1)

    assert "ctx.gather is for coroutine handlers" in str(result.error)


# STEP-2
def test_an_error_names_the_call_and_the_store() -> None:
    def told(call: Any) -> tuple[str, bool]:
        with pytest.raises(InvalidInput) as refused:
            call()
        return refused.value.operation, bool(refused.value.path)

    def work(message: Any, ctx: Context) -> None:
        assert told(lambda: ctx.sleep("", 1)) == ("sleep", True)
        assert told(lambda: ctx.wait("")) == ("wait", True)
        assert told(lambda: ctx.wait_url("")) == ("wait_url", True)
        assert told(lambda: ctx.step("", int)) == ("step", True)
        assert told(lambda: ctx.step_key)[0] == "step_key"
        receipt = ctx.store.queue("other").enqueue(b"")
        assert told(lambda: receipt.wait(-1))[0] == "wait"

    assert run(work, url="https://hooks.example.com").state == "done"


# STEP-12
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_cannot_be_kept_is_told_with_its_store(asynchronous: bool) -> None:
    async def later(message: Any, ctx: Context) -> None:
        await ctx.step("large", object)

    def plain(message: Any, ctx: Context) -> None:
        ctx.step("large", object)

    error = run(later if asynchronous else plain).exception

    assert isinstance(error, InvalidInput)
    assert (error.operation, error.path.endswith(".db")) == ("step", True)
