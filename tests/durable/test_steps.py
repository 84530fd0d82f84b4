"""Steps: called once, replayed in later attempts."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import threading
from decimal import Decimal
from typing import Any

import pytest

from fencepost import (
    Context,
    Discard,
    InvalidInput,
    OutcomeUnknown,
    Retry,
    SoftTimeout,
    StepChanged,
    StoreBusy,
)
from fencepost.app.steps.calls.fingerprint import fingerprint

from .attempts import make_unsure, note, run


class Declined(Exception):
    """What a bank says."""


class Strict(Exception):
    """Takes no other arguments than one."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        super().__init__(*args)


# STEP-1, STEP-18
def test_a_recorded_step_is_not_called_again() -> None:
    calls: list[str] = []

    def work(message: Any, ctx: Context) -> Any:
        charged = ctx.step("charge", lambda: note(calls, "charge", {"id": 7}))
        mailed = ctx.step("mail", lambda to: calls.append(f"mail {to}"), "ann")
        if ctx.attempt < 3:
            raise RuntimeError("not yet")
        return [charged, mailed]

    result = run(work)

    assert calls == ["charge", "mail ann"]
    assert (result.state, result.attempt, result.result) == ("done", 3, [{"id": 7}, None])


# STEP-1
def test_the_same_name_again_is_another_occurrence_and_no_other_name() -> None:
    calls: list[str] = []

    def work(message: Any, ctx: Context) -> Any:
        names = ("a", "a", "a#2", "a:1")
        found = [ctx.step(name, lambda n=name: note(calls, n, len(calls) + 1)) for name in names]
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return found

    assert run(work).result == [1, 2, 3, 4]
    assert calls == ["a", "a", "a#2", "a:1"]


# STEP-1
def test_a_step_put_before_recorded_ones_runs_alone() -> None:
    calls: list[str] = []

    def work(message: Any, ctx: Context) -> None:
        if ctx.attempt == 2:
            ctx.step("new", calls.append, "new")
        ctx.step("old", calls.append, "old")
        if ctx.attempt == 1:
            raise RuntimeError("again")

    assert run(work).state == "done"
    assert calls == ["old", "new"]


# STEP-2
@pytest.mark.parametrize(
    "name", ["", "x" * 201, "a\nb", "a\0b", "a\x9bb", "a\u2028b", "\ud800", None, 7]
)
def test_a_name_that_cannot_be_one_is_refused(name: Any) -> None:
    result = run(lambda message, ctx: ctx.step(name, list), max_attempts=1)

    assert isinstance(result.exception, InvalidInput)


# STEP-2
@pytest.mark.parametrize(
    "name", ["x" * 200, " ", "mail:\u00a0Jos\u00e9", "\U0001f469\u200d\U0001f467"]
)
def test_any_other_name_is_one(name: str) -> None:
    def work(message: Any, ctx: Context) -> Any:
        found = ctx.step(name, lambda: ctx.attempt)
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return found

    assert run(work).result == 1


# STEP-6
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_argument_that_is_no_valid_unicode_is_recorded(asynchronous: bool) -> None:
    calls: list[str] = []

    def work(message: Any, ctx: Context) -> None:
        ctx.step("name", calls.append, "\ud800")
        if ctx.attempt == 1:
            raise RuntimeError("not yet")

    async def work_async(message: Any, ctx: Context) -> None:
        await asyncio.wait_for(ctx.step("name", calls.append, "\ud800"), 60)
        if ctx.attempt == 1:
            raise RuntimeError("not yet")

    result = run(work_async if asynchronous else work)

    assert (result.state, result.attempt, calls) == ("done", 2, ["\ud800"])


# STEP-7
def test_other_arguments_make_a_dead_letter_that_shows_both() -> None:
    seen: list[BaseException] = []

    def work(message: Any, ctx: Context) -> None:
        amount = 10 if ctx.attempt == 1 else 20
        try:
            ctx.step("charge", lambda **_: None, amount=amount)
        except StepChanged as error:  # swallowing it changes nothing
            seen.append(error)
            with pytest.raises(StepChanged):
                ctx.step("other", lambda: pytest.fail("it ran"))
        if ctx.attempt == 1:
            raise RuntimeError("again")

    result = run(work)

    assert (result.state, result.attempt) == ("dead", 2)
    assert result.error is not None
    assert '{"amount":10}' in result.error
    assert '{"amount":20}' in result.error
    (error,) = seen
    assert isinstance(error, StepChanged)
    assert (error.name, error.occurrence, error.code, error.code_then, error.code_now) == (
        *("charge", 1, "step_changed"),
        *("v1", "v1"),
    )


# STEP-11
def test_the_first_outcome_is_what_a_replay_gives() -> None:
    def work(message: Any, ctx: Context) -> Any:
        found = ctx.step("t", lambda: ({"a": (1, 2)}, {3: 4}))
        assert found == [{"a": [1, 2]}, {"3": 4}]
        assert ctx.step("b", lambda: b"\0bytes") == b"\0bytes"
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return found

    assert run(work).result == [{"a": [1, 2]}, {"3": 4}]


# STEP-10, STEP-12
@pytest.mark.parametrize(
    "outcome", ["x" * (64 * 1024 + 1), b"x" * (1024 * 1024 + 1), {1, 2}, float("nan")]
)
def test_an_outcome_that_cannot_be_kept_is_never_asked_for_again(outcome: Any) -> None:
    calls: list[int] = []

    def work(message: Any, ctx: Context) -> None:
        try:
            ctx.step("large", lambda: note(calls, 1, outcome))
        finally:
            return  # noqa: B012 - a rude handler

    result = run(work)

    assert calls == [1]
    assert result.state == "dead"
    assert "ran, and what it returned could not be kept" in str(result.error)


# STEP-10
@pytest.mark.parametrize("outcome", ["x" * (64 * 1024 - 2), b"x" * (1024 * 1024)])
def test_the_largest_outcomes_are_kept(outcome: Any) -> None:
    def work(message: Any, ctx: Context) -> None:
        assert ctx.step("large", lambda: outcome) == outcome
        if ctx.attempt == 1:
            raise RuntimeError("again")

    assert run(work).state == "done"


# STEP-10
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_bytes_are_kept_as_bytes(kind: Any) -> None:
    assert run(lambda message, ctx: ctx.step("b", kind, b"ab") == b"ab").result is True


# STEP-13
def test_a_step_that_raises_is_called_again() -> None:
    calls: list[int] = []

    def flaky() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("no route")
        return "there"

    result = run(lambda message, ctx: ctx.step("ask", flaky))

    assert (result.state, result.result, len(calls)) == ("done", "there", 3)


# STEP-13
def test_a_recorded_exception_is_raised_the_same_way_each_time() -> None:
    calls: list[int] = []
    seen: list[Exception] = []

    def charge() -> None:
        calls.append(1)
        raise Declined("no funds", 51)

    def work(message: Any, ctx: Context) -> None:
        try:
            ctx.step("charge", charge, record=Declined)
        except Declined as error:
            seen.append(error)
        if ctx.attempt == 1:
            raise RuntimeError("again")

    assert run(work).state == "done"
    assert calls == [1]
    assert [(type(error), error.args) for error in seen] == [(Declined, ("no funds", 51))] * 2


# STEP-13
@pytest.mark.parametrize(
    "kind", [Retry, Discard, SoftTimeout, InvalidInput, BaseException, "Declined", 7]
)
def test_what_must_not_be_recorded_is_refused(kind: Any) -> None:
    def work(message: Any, ctx: Context) -> None:
        with pytest.raises(InvalidInput):
            ctx.step("s", lambda: pytest.fail("it ran"), record=kind)

    assert run(work).state == "done"


# STEP-12, STEP-13
@pytest.mark.parametrize("args", [(object(),), (1, 2, 3)])
def test_an_exception_that_cannot_be_kept_is_never_asked_for_again(args: Any) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise Strict(args)

    result = run(lambda message, ctx: ctx.step("s", fail, record=Strict))

    assert calls == [1]
    assert result.state == "dead"
    assert "raised Strict, which could not be kept" in str(result.error)


# STEP-13
@pytest.mark.parametrize("error", [SoftTimeout("over 1 s"), Retry(0), InvalidInput("no")])
def test_what_is_about_the_attempt_is_no_outcome_of_a_step(error: Exception) -> None:
    calls: list[int] = []

    def slow() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise error
        return "done"

    result = run(lambda message, ctx: ctx.step("slow", slow, record=Exception))

    assert (result.state, result.result, len(calls)) == ("done", "done", 2)


# STEP-5
def test_a_step_within_a_step_or_a_transaction_or_a_thread_is_refused() -> None:
    def work(message: Any, ctx: Context) -> None:
        def inner() -> None:
            for call in (ctx.now, ctx.random, lambda: ctx.step("inner", list), ctx.uuid):
                with pytest.raises(InvalidInput, match="within step 'outer'"):
                    call()
            with pytest.raises(InvalidInput, match="within step"), ctx.transaction():
                pytest.fail("it began")

        ctx.step("outer", inner)
        with ctx.store.transaction(), pytest.raises(InvalidInput, match="within a transaction"):
            ctx.step("s", list)
        refused: list[BaseException] = []

        def elsewhere() -> None:
            try:
                ctx.step("s", list)
            except InvalidInput as error:
                refused.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(refused) == 1

    assert run(work).state == "done"


# STEP-26
def test_nothing_is_recorded_after_the_attempt() -> None:
    kept: list[Context] = []

    def work(message: Any, ctx: Context) -> None:
        kept.append(ctx)

    run(work)

    with pytest.raises(InvalidInput, match="after the end"):
        kept[0].step("late", list)


# STEP-16
def test_a_step_in_a_transaction_commits_with_its_record() -> None:
    def insert(tx: Any, n: int) -> int:
        tx.execute("create table if not exists made (n integer)")
        tx.execute("insert into made values (?)", (n,))
        return n

    def work(message: Any, ctx: Context) -> Any:
        found = ctx.step("insert", insert, 5, in_transaction=True)
        if ctx.attempt < 3:
            raise RuntimeError("again")
        return [found, [tuple(row) for row in ctx.store.read("select * from made")]]

    assert run(work).result == [5, [[5]]]


# STEP-16, STEP-13
def test_a_recorded_exception_undoes_the_steps_writes() -> None:
    def insert(tx: Any) -> None:
        tx.execute("create table made (n integer)")
        raise Declined("no")

    def work(message: Any, ctx: Context) -> Any:
        with pytest.raises(Declined):
            ctx.step("insert", insert, in_transaction=True, record=(Declined,))
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return len(ctx.store.read("select 1 from sqlite_schema where name = 'made'"))

    assert run(work).result == 0


# STEP-20
def test_now_random_and_uuid_are_equal_in_every_attempt() -> None:
    seen: list[tuple[Any, ...]] = []

    def work(message: Any, ctx: Context) -> None:
        drawn = (ctx.now(), ctx.random(), ctx.uuid(), ctx.random(), ctx.now())
        seen.append(drawn)
        ctx.step("write", list)
        if ctx.attempt == 1:
            raise RuntimeError("again")

    assert run(work).state == "done"
    assert seen[0] == seen[1]
    assert len(set(seen[0][1:4])) == 3
    assert 0 <= seen[0][1] < 1


# STEP-20
def test_now_is_on_disk_before_the_next_step_runs() -> None:
    seen: list[float] = []

    def work(message: Any, ctx: Context) -> None:
        seen.append(ctx.now())
        ctx.step("write", lambda: 1 / 0 if ctx.attempt == 1 else None)

    assert run(work).state == "done"
    assert seen[0] == seen[1]


# STEP-20
def test_now_is_written_by_a_later_step_if_the_store_was_busy() -> None:
    seen: list[float] = []

    def work(message: Any, ctx: Context) -> None:
        steps: Any = ctx.store.engine.durable.steps
        record = steps.record
        seen.append(ctx.now())
        if ctx.attempt > 1:
            return

        def busy(entries: Any) -> Any:
            steps.record = record
            raise StoreBusy(operation="step", path="hooks.db", waited=5.0)

        steps.record = busy
        with pytest.raises(StoreBusy):
            ctx.step("first", int)
        ctx.step("second", lambda: seen.append(-1))
        raise RuntimeError("not yet")

    assert run(work).state == "done"
    first, ran, second = seen
    assert (first, ran) == (second, -1)


# STEP-21
def test_the_step_key_is_the_steps_own_and_the_same_in_every_attempt() -> None:
    keys: list[str] = []

    def work(message: Any, ctx: Context) -> None:
        with pytest.raises(InvalidInput):
            _ = ctx.step_key

        def ask() -> None:
            keys.append(ctx.step_key)
            if len(keys) == 1:
                raise OSError("died")

        ctx.step("a", ask)
        ctx.step("a", ask)
        ctx.step("b", ask)

    assert run(work).state == "done"
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


# STEP-3
def test_occurrences_are_given_when_asked_for_not_when_run() -> None:
    async def work(message: Any, ctx: Context) -> Any:
        async def fetch(n: int) -> int:
            await asyncio.sleep(random.random() / 1000)
            return n

        found = await ctx.gather(*(ctx.step("fetch", fetch, n) for n in range(50)))
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return found

    assert run(work).result == list(range(50))


# STEP-25, EFFECT-17
def test_what_has_ended_beside_a_failure_is_recorded() -> None:
    calls: list[int] = []

    async def work(message: Any, ctx: Context) -> Any:
        async def one(n: int) -> int:
            calls.append(n)
            if n == 3 and len(calls) <= 20:
                raise OSError("no")
            return n

        return await ctx.gather(*(ctx.step(f"s{n}", one, n) for n in range(20)))

    assert run(work).result == list(range(20))
    assert sorted(calls) == sorted([*range(20), 3])


# STEP-25
def test_gather_can_return_failures() -> None:
    async def work(message: Any, ctx: Context) -> Any:
        def no() -> None:
            raise OSError("no")

        one, two = await ctx.gather(
            ctx.step("a", lambda: 1), ctx.step("b", no), return_exceptions=True
        )
        return [one, str(two)]

    assert run(work).result == [1, "no"]


# STEP-4
def test_two_tasks_that_use_a_name_at_a_time_are_refused() -> None:
    async def work(message: Any, ctx: Context) -> None:
        async def branch() -> None:
            for _ in range(3):
                await ctx.step("fetch", asyncio.sleep, 0)

        found = await asyncio.gather(branch(), branch(), return_exceptions=True)
        assert [type(each) for each in found if each] == [InvalidInput]

    assert run(work).state == "done"


# STEP-19
def test_coroutine_steps_of_one_turn_share_a_commit() -> None:
    commits: list[int] = []

    async def work(message: Any, ctx: Context) -> None:
        steps: Any = ctx.store.engine.durable.steps
        record = steps.record
        steps.record = lambda entries: note(commits, len(entries), record(entries))
        await ctx.gather(*(ctx.step(f"s{n}", lambda: None) for n in range(40)))

    assert run(work).state == "done"
    assert commits == [40]


# STEP-17
@pytest.mark.parametrize("committed", [True, False])
def test_a_record_whose_commit_is_unknown_is_written_again(committed: bool) -> None:
    calls: list[int] = []
    answers: list[Any] = []

    def work(message: Any, ctx: Context) -> Any:
        steps: Any = ctx.store.engine.durable.steps
        record = steps.record

        def unsure(entries: Any) -> Any:
            steps.record = record
            answers.append(record(entries) if committed else None)
            raise OutcomeUnknown("the disk went away")

        steps.record = unsure
        found = ctx.step("ask", lambda: note(calls, 1, "outcome"))
        assert len(steps.records(1)) == 1
        return found

    assert run(work).result == "outcome"
    assert calls == [1]


# STEP-17
@pytest.mark.parametrize("committed", [True, False])
def test_a_transaction_whose_commit_is_unknown_is_there_once(committed: bool) -> None:
    calls: list[int] = []

    def insert(tx: Any) -> int:
        calls.append(1)
        tx.execute("create table if not exists made (n integer)")
        tx.execute("insert into made values (1)")
        return len(calls)

    def work(message: Any, ctx: Context) -> Any:
        make_unsure(ctx, committed=committed)
        found = ctx.step("insert", insert, in_transaction=True)
        return [found, len(ctx.store.read("select * from made"))]

    assert run(work).result == ([1, 1] if committed else [2, 1])


# STEP-17
def test_a_transaction_whose_commit_stays_unknown_is_given_up() -> None:
    calls: list[int] = []

    def work(message: Any, ctx: Context) -> None:
        make_unsure(ctx, committed=False, for_ever=True)
        ctx.step("insert", lambda tx: calls.append(1), in_transaction=True)

    result = run(work, max_attempts=1)

    assert (result.state, len(calls)) == ("dead", 3)
    assert str(result.error).startswith("OutcomeUnknown")


# STEP-17
def test_an_unknown_outcome_in_another_store_is_the_functions_own() -> None:
    calls: list[int] = []

    def insert(tx: Any) -> None:
        calls.append(1)
        raise OutcomeUnknown("another store")

    def work(message: Any, ctx: Context) -> None:
        with pytest.raises(OutcomeUnknown, match="another store"):
            ctx.step("insert", insert, in_transaction=True)

    assert (run(work).state, calls) == ("done", [1])


# STEP-19
def test_an_error_of_a_shared_commit_reaches_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr("fencepost.app.steps.calls.shared_commits.write_records", fail)

    async def work(message: Any, ctx: Context) -> list[str]:
        steps = [asyncio.wait_for(ctx.step(name, int), 60) for name in ("a", "b")]
        found = await ctx.gather(*steps, return_exceptions=True)
        return [type(each).__name__ for each in found]

    assert run(work).result == ["MemoryError"] * 2


# STEP-25, EFFECT-18
def test_a_cancellation_is_passed_on_to_every_step_and_none_is_left() -> None:
    cancelled: list[int] = []

    async def work(message: Any, ctx: Context) -> None:
        async def endless(n: int) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(n)
                raise

        steps = [ctx.step(f"s{n}", endless, n) for n in range(3)]
        both = asyncio.ensure_future(ctx.gather(*steps))
        for _ in range(3):
            await asyncio.sleep(0)
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both
        assert sorted(cancelled) == [0, 1, 2]

    assert run(work).state == "done"


# STEP-6
def test_arguments_are_the_same_by_value() -> None:
    @dataclasses.dataclass
    class Order:
        id: int

    @dataclasses.dataclass
    class Parcel:
        id: int

    one = fingerprint((Order(1), {"b": 1, "a": {2, 1}}, b"x", Decimal("1.0"), object()), {"k": 1})
    same = fingerprint((Order(1), {"a": {1, 2}, "b": 1}, b"x", Decimal("1.0"), object()), {"k": 1})

    assert one == same
    others = [
        fingerprint((value,), {})[0]
        for value in (
            1,
            10**5000,
            "1",
            True,
            1.5,
            b"1",
            Decimal(1),
            [1],
            (2,),
            {1},
            {"1": 1},
            {1: 1},
            None,
        )
    ]
    others += [
        fingerprint((each,), {})[0] for each in (Order(1), Order(2), Parcel(1), float("nan"))
    ]
    assert len(set(others)) == len(others)
