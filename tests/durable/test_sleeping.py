"""Sleeping: the attempt ends, and a later one goes on after that time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, Receipt, Suspended, connect
from fencepost.testing import Clock, Result, enqueue
from fencepost.testing.running import run_deliveries

from ..cli.command import run as cli
from .attempts import note, run


def attempts_of(handler: Callable[..., Any], attempts: int, **settings: Any) -> Result:
    """Run so many attempts, with the clock moved to the time of each."""
    return run(handler, attempts=attempts, **settings)


# SLEEP-4, EFFECT-12
def test_a_handler_goes_on_after_the_time_from_its_recorded_steps() -> None:
    calls: list[str] = []
    times: list[float] = []

    def work(message: Any, ctx: Context) -> str:
        times.append(ctx.store.engine.clock.now_ms() / 1000)
        ctx.step("before", calls.append, "before")
        ctx.sleep("cool-down", 3600)
        ctx.step("after", calls.append, "after")
        return "done"

    result = run(work)

    assert (result.state, result.attempt, result.result) == ("done", 1, "done")
    assert calls == ["before", "after"]
    assert [round(at - times[0]) for at in times] == [0, 3600]


# SLEEP-4
def test_the_time_is_counted_from_the_call_and_stands() -> None:
    def work(message: Any, ctx: Context) -> None:
        seconds = 60 if ctx.attempt == 1 and not ctx.store.read("select 1 from fp_step") else 7200
        ctx.sleep("nap", seconds)

    assert attempts_of(work, 2).state == "done"


# SLEEP-5
def test_sleeping_is_no_attempt_and_begins_the_count_anew() -> None:
    calls: list[int] = []

    def work(message: Any, ctx: Context) -> int:
        calls.append(ctx.attempt)
        if len(calls) < 3:
            raise RuntimeError("before")
        ctx.sleep("month", 30 * 86_400)
        if len(calls) < 11:
            raise RuntimeError("after")
        return ctx.attempt

    result = run(work, max_attempts=8)

    assert (result.state, result.result) == ("done", 8)
    assert calls == [1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8]


def _suppressed(ctx: Context) -> None:
    with contextlib.suppress(BaseException):
        ctx.sleep("nap", 60)


def _caught(ctx: Context) -> None:
    try:
        ctx.sleep("nap", 60)
    except:  # noqa: E722 - a rude handler
        ctx.store.engine.clock.now_ms()


def _raised_anew(ctx: Context) -> None:
    try:
        ctx.sleep("nap", 60)
    except BaseException:  # noqa: BLE001
        raise ValueError("instead") from None


def _returned_in_finally(ctx: Context) -> str:
    try:
        ctx.sleep("nap", 60)
    finally:
        return "done"  # noqa: B012 - a rude handler


def _raised_in_finally(ctx: Context) -> None:
    try:
        ctx.sleep("nap", 60)
    finally:
        raise KeyError("in finally")


def _grouped(ctx: Context) -> None:
    try:
        ctx.sleep("nap", 60)
    except BaseException as error:  # noqa: BLE001
        raise BaseExceptionGroup("several", [error]) from None


def _stepped_on(ctx: Context) -> None:
    with contextlib.suppress(BaseException):
        ctx.sleep("nap", 60)
    ctx.step("later", pytest.fail, "it ran")


def _wrote_on(ctx: Context) -> None:
    with contextlib.suppress(BaseException):
        ctx.sleep("nap", 60)
    with ctx.transaction():
        pytest.fail("it began")


def _exited(ctx: Context) -> None:
    try:
        ctx.sleep("nap", 60)
    except BaseException:  # noqa: BLE001
        raise SystemExit(1) from None


def _slept_again(ctx: Context) -> None:
    with contextlib.suppress(BaseException):
        ctx.sleep("nap", 60)
    ctx.sleep("second", 1)


_RUDE = [
    *(_suppressed, _caught, _raised_anew, _returned_in_finally, _raised_in_finally, _grouped),
    *(_stepped_on, _wrote_on, _exited, _slept_again),
]


# SLEEP-1, SLEEP-2
@pytest.mark.parametrize("sleep", _RUDE)
def test_a_handler_that_swallows_the_sleep_sleeps_all_the_same(
    sleep: Callable[[Context], Any],
) -> None:
    seen: list[bool] = []

    def work(message: Any, ctx: Context) -> Any:
        try:
            return sleep(ctx)
        finally:
            seen.append(ctx.suspended)

    result = attempts_of(work, 1)

    assert (result.state, result.attempt) == ("sleeping", 0)
    assert seen == [True]


# SLEEP-1, SLEEP-2
@pytest.mark.parametrize("rude", [False, True])
def test_a_coroutine_sleeps_too(rude: bool) -> None:
    async def work(message: Any, ctx: Context) -> str:
        try:
            await ctx.sleep("nap", 60)
        except BaseException:
            if not rude:
                raise
        return "woken"

    assert attempts_of(work, 1).state == "sleeping"
    assert attempts_of(work, 2).result == "woken"


# SLEEP-3
def test_clean_ups_run_at_each_suspension_and_can_tell_it() -> None:
    ended: list[bool] = []

    def work(message: Any, ctx: Context) -> None:
        try:
            ctx.sleep("nap", 60)
        finally:
            ended.append(ctx.suspended)

    assert attempts_of(work, 2).state == "done"
    assert ended == [True, False]


# STEP-25
def test_among_gathered_steps_the_others_end_and_the_first_to_wake_counts() -> None:
    calls: list[str] = []

    async def work(message: Any, ctx: Context) -> Any:
        return await ctx.gather(
            ctx.sleep("long", 7200),
            ctx.step("one", lambda: note(calls, "one", 1)),
            ctx.sleep("short", 60),
            ctx.step("two", asyncio.sleep, 0, "two"),
        )

    first = attempts_of(work, 1)
    assert first.state == "sleeping"
    assert calls == ["one"]
    assert run(work).result == [None, 1, None, "two"]
    assert calls == ["one", "one"]  # of two deliveries


# STEP-7
def test_a_step_that_was_a_sleep_is_changed() -> None:
    calls: list[int] = []

    def work(message: Any, ctx: Context) -> None:
        calls.append(1)
        if len(calls) == 1:
            ctx.sleep("x", 60)
        ctx.step("x", list)

    result = run(work)

    assert result.state == "dead"
    assert "recorded by version v1 with a sleep" in str(result.error)


# STEP-24
def test_a_handler_that_must_not_begin_again_cannot_sleep() -> None:
    def work(message: Any, ctx: Context) -> None:
        with pytest.raises(InvalidInput, match="at_most_once"):
            ctx.sleep("nap", 60)

    assert run(work, at_most_once=True, max_attempts=None).state == "done"


def test_a_wrong_time_is_refused() -> None:
    def work(message: Any, ctx: Context) -> None:
        for seconds in (-1, float("nan"), "soon", None):
            with pytest.raises(InvalidInput):
                ctx.sleep("nap", seconds)  # type: ignore[arg-type]

    assert run(work).state == "done"


# SLEEP-7, SLEEP-9
def test_a_sleeper_can_be_cancelled_and_nothing_of_it_is_left(tmp_path: Any) -> None:
    app = App("unused.db")

    @app.task("work")
    def work(message: Any, ctx: Context) -> None:
        ctx.sleep("nap", 60)

    clock = Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        enqueue(app, "work", b"", store=store, clock=clock)
        (row,) = store.deliveries(state="sleeping")
        assert row.asleep == "nap"
        assert row.due_at == pytest.approx(clock.time() + 60)

        found = cli("messages", "list", "--state", "sleeping", "--store", "hooks.db", cwd=tmp_path)
        assert "asleep at 'nap' until 20" in found.out
        status = json.loads(cli("status", "--json", "--store", "hooks.db", cwd=tmp_path).out)
        assert status["queues"]["work"]["asleep"] == 1

        assert store.cancel(row.id).kind == "cancelled"

        assert store.read("select id from fp_step") == []
        assert store.queue("work").stats().asleep == 0


def test_suspended_is_no_exception() -> None:
    assert not issubclass(Suspended, Exception)


# STEP-23
@pytest.mark.parametrize(
    ("option", "calls_after"), [((), 0), (("--from-start",), 2), (("--from", "second"), 1)]
)
def test_a_dead_letter_goes_on_where_an_operator_says(
    tmp_path: Any, option: tuple[str, ...], calls_after: int
) -> None:
    calls: list[str] = []
    keys: list[str] = []
    app = App("unused.db")

    @app.task("work", max_attempts=1)
    def work(message: Any, ctx: Context) -> None:
        keys.append(str(ctx.uuid()))
        ctx.step("first", calls.append, "first")
        ctx.step("second", calls.append, "second")
        if len(keys) == 1:
            raise RuntimeError("dead")

    clock = Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        enqueue(app, "work", b"", store=store, clock=clock)
        clock.advance(1)
        said = cli("messages", "replay", "d1", *option, "--store", "hooks.db", cwd=tmp_path)
        assert (said.code, said.out) == (0, "replayed d1\n")

        receipt = Receipt("accepted", 1, None)
        (result,) = run_deliveries(app, store, clock, receipt, 1)

    assert result.state == "done"
    assert len(calls) == 2 + calls_after
    assert (keys[0] == keys[1]) == (not option)
