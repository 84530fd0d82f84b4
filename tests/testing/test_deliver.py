"""`deliver` does with a message what a receiver and its workers would do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fencepost import (
    App,
    Cancelled,
    Context,
    Discard,
    InvalidInput,
    Message,
    Retry,
    WaitTimeout,
    connect,
)
from fencepost.testing import Clock, Result, deliver, enqueue, run_ready, signed

Handle = Callable[[Message, Context], Any]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app whose store is nowhere."""
    app = App(tmp_path / "missing" / "hooks.db")
    app.source("github", scheme="github", secret="s")
    app.source("stripe", scheme="stripe", secret="whsec_x")
    app.source("slack", scheme="slack", secret="s")
    app.source("shop", scheme="hmac", secret="s", key="json:/id", event="header:X-Kind")
    app.source("public", scheme="standard", secret="whpk_" + "A" * 43)
    return app


def said(message: Message, ctx: Context) -> Any:
    """Return what a handler sees."""
    return {
        "source": message.source,
        "event": message.event,
        "key": message.key,
        "json": message.json(),
        "attempt": ctx.attempt,
    }


# TESTING-1
def test_each_matching_handler_runs_and_says_what_came_of_it(app: App) -> None:
    async def awaits(message: Message, ctx: Context) -> str:
        await asyncio.sleep(0)
        return "awaited"

    def fails(message: Message, ctx: Context) -> None:
        raise ValueError("boom")

    def discards(message: Message, ctx: Context) -> None:
        raise Discard("not for us")

    app.on("github", "push", name="says")(said)
    app.on("github")(awaits)
    app.on("github", "push")(fails)
    app.on("github", "push")(discards)
    app.on("github", "issues", name="other")(said)
    app.on("stripe", name="elsewhere")(said)

    says, awaited, failed, discarded = deliver(app, "github", "push", {"ref": "main"}, key="d-1")

    seen = {
        "source": "github",
        "event": "push",
        "key": "d-1",
        "json": {"ref": "main"},
        "attempt": 1,
    }
    assert says == Result("says", "done", 1, None, seen)
    assert awaited == Result("awaits", "done", 1, None, "awaited")
    assert (failed.queue, failed.state, failed.attempt) == ("fails", "ready", 1)
    assert failed.error is not None
    assert failed.error.startswith("ValueError: boom (test_deliver.py:")
    assert isinstance(failed.exception, ValueError)
    assert failed.retry_after is not None
    assert (discarded.state, discarded.error) == ("dead", "not for us")
    assert discarded.retry_after is None


# TESTING-1
@pytest.mark.parametrize(
    ("body", "raw"),
    [
        ({"a": "é"}, json.dumps({"a": "é"}).encode()),
        ('{"a":  1}', b'{"a":  1}'),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"x"), b"x"),
        ([1], b"[1]"),
    ],
)
@pytest.mark.parametrize("source", ["github", "stripe", "slack", "shop", "public"])
def test_the_body_is_delivered_as_it_was_given(
    app: App, source: str, body: Any, raw: bytes
) -> None:
    seen = []
    app.on(source, name="note")(lambda message, ctx: seen.append(message))

    (result,) = deliver(app, source, "paid.now", body, key="k-1")

    (message,) = seen
    assert (result.state, message.body) == ("done", raw)
    assert (message.event, message.key) == ("paid.now", "k-1")
    assert message.source == source


# TESTING-1
def test_what_is_left_out_is_read_in_the_body_or_made_up(app: App) -> None:
    for source in app.sources:
        app.on(source, name=f"on-{source}")(said)

    (example,) = deliver(app, "github")
    (read,) = deliver(app, "stripe", body={"id": "evt_1", "type": "invoice.paid"})
    (header,) = deliver(app, "shop", body={"id": 7}, headers={"X-Kind": "order"})

    assert example.result["event"] == "push"
    assert example.result["json"]["repository"]["full_name"] == "octocat/hello"
    assert (read.result["key"], read.result["event"]) == ("evt_1", "invoice.paid")
    assert (header.result["key"], header.result["event"]) == ("7", "order")


# TESTING-1
def test_headers_are_those_of_the_provider_and_those_that_are_given(app: App) -> None:
    app.on("github", name="note")(lambda message, ctx: dict(message.headers))

    (result,) = deliver(
        app, "github", "push", {}, key="d-1", headers={"X-Trace": "t", "Authorization": "secret"}
    )

    assert result.result["x-github-event"] == "push"
    assert result.result["x-github-delivery"] == "d-1"
    assert result.result["x-trace"] == "t"
    assert "authorization" not in result.result


# TESTING-1
def test_a_command_is_run_as_by_a_worker(app: App, tmp_path: Path) -> None:
    app.command("github", "push", ["sh", "-c", f"cat > {tmp_path}/body; exit 100"], name="deploy")

    (result,) = deliver(app, "github", "push", b"{}")

    assert (result.queue, result.state) == ("deploy", "dead")
    assert result.error is not None
    assert "exit code 100" in result.error
    assert (tmp_path / "body").read_bytes() == b"{}"


# TESTING-1
def test_a_message_that_no_route_matches_has_no_results(app: App) -> None:
    app.on("github", "push", name="note")(said)

    assert deliver(app, "github", "release", {}) == []


# TESTING-2
def test_the_apps_own_store_is_not_touched(app: App, tmp_path: Path) -> None:
    app.on("github", name="note")(said)

    deliver(app, "github", "push", {})

    assert list(tmp_path.iterdir()) == []


# TESTING-3
def test_lanes_priorities_and_limits_are_those_of_the_app(app: App) -> None:
    app.on("github", name="laned", lane=lambda message: message.json()["repo"])(said)
    app.on("github", name="once", max_attempts=1)(_failing(RuntimeError("boom")))
    app.on("github", name="careful", discard_on=[KeyError])(_failing(KeyError("x")))
    app.on("github", name="patient", retry_on={OSError: 90})(_failing(OSError("down")))

    laned, once, careful, patient = deliver(app, "github", "push", {"repo": "a"})
    refused, *_ = deliver(app, "github", "push", {"no repo": 1})

    assert laned.state == "done"
    assert (once.state, careful.state) == ("dead", "dead")
    assert (patient.state, patient.retry_after) == ("ready", 90.0)
    assert (refused.state, refused.attempt) == ("dead", 0)
    assert refused.error is not None
    assert refused.error.startswith("no lane: KeyError")


def _failing(error: BaseException) -> Handle:
    def handle(message: Message, ctx: Context) -> None:
        raise error

    return handle


# TESTING-4
def test_further_attempts_move_the_clock_on_to_each(app: App) -> None:
    clock = Clock()
    began = clock.time()
    seen: list[tuple[int, float]] = []

    @app.on("github", max_attempts=5)
    def note(message: Message, ctx: Context) -> str:
        seen.append((ctx.attempt, round(clock.time() - began)))
        if ctx.attempt < 3:
            raise Retry(after=60)
        return "at last"

    (first,) = deliver(app, "github", "push", {})
    seen.clear()
    (result,) = deliver(app, "github", "push", {}, attempts=10, clock=clock)

    assert (first.state, first.retry_after) == ("ready", 60.0)
    assert result == Result("note", "done", 3, None, "at last")
    assert [attempt for attempt, _ in seen] == [1, 2, 3]
    assert [at for _, at in seen] == [0, 60, 120]


# TESTING-4
def test_attempts_none_goes_on_until_the_end(app: App) -> None:
    app.on("github", name="note", max_attempts=6)(_failing(RuntimeError("boom")))

    (result,) = deliver(app, "github", "push", {}, attempts=None)

    assert (result.state, result.attempt) == ("dead", 6)


# TESTING-5
def test_transactions_and_queues_are_those_of_the_store_that_is_given(
    app: App, tmp_path: Path
) -> None:
    @app.on("github", "push")
    def note(message: Message, ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.execute("create table if not exists seen (key text)")
            tx.execute("insert into seen values (?)", (message.key,))
            ctx.store.queue("mail").enqueue(b"hello", key=message.key)

    @app.task("mail")
    def mail(message: Message, ctx: Context) -> str:
        return message.text()

    with connect(tmp_path / "mine.db") as store:
        (first,) = deliver(app, "github", "push", {}, key="d-1", store=store)
        again = deliver(app, "github", "push", {}, key="d-1", store=store)
        waiting = store.queue("mail").stats().ready
        sent = enqueue(app, "mail", "hi", store=store)
        rows = store.read("select key from seen")

    assert (first.state, again) == ("done", [])
    assert rows == [("d-1",)]
    assert waiting == 1
    assert sent == Result("mail", "done", 1, None, "hi")


# TESTING-5
def test_what_fails_in_a_transaction_is_rolled_back(app: App, tmp_path: Path) -> None:
    @app.on("github")
    def note(message: Message, ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.execute("create table seen (key text)")
            raise ValueError("boom")

    with connect(tmp_path / "mine.db") as store:
        (result,) = deliver(app, "github", "push", {}, store=store)
        found = store.read("select name from sqlite_schema where name = 'seen'")

    assert (result.state, found) == ("ready", [])


# TESTING-6
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Cancelled("end now"), "ready"),
        (SystemExit(3), "ready"),
        (asyncio.CancelledError(), "ready"),
        (ExceptionGroup("several", [ValueError("a")]), "ready"),
    ],
)
def test_what_ends_a_handler_in_a_worker_ends_it_here(
    app: App, error: BaseException, state: str
) -> None:
    app.on("github", name="note")(_failing(error))

    (result,) = deliver(app, "github", "push", {})

    assert (result.state, type(result.exception)) == (state, type(error))


# TESTING-6
@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.fail.Exception("wrong")])
def test_what_is_meant_for_the_tests_goes_through(app: App, error: BaseException) -> None:
    app.on("github", name="note")(_failing(error))

    with pytest.raises(type(error)):
        deliver(app, "github", "push", {})


# TESTING-6
def test_rude_handlers_fail_as_in_a_worker(app: App, tmp_path: Path) -> None:
    async def waits_in_a_transaction(message: Message, ctx: Context) -> None:
        with ctx.transaction():
            await asyncio.sleep(0)

    class Late:
        async def made(self) -> None: ...

        def __call__(self, message: Message, ctx: Context) -> Any:
            return self.made()

    app.on("github", name="waits")(waits_in_a_transaction)
    app.on("github", name="late")(Late())
    app.on("github", name="unstorable")(lambda message, ctx: object())

    waits, late, unstorable = deliver(app, "github", "push", {})

    assert "await within a transaction" in (waits.error or "")
    assert "did not run" in (late.error or "")
    assert (unstorable.state, unstorable.result) == ("done", None)


# TESTING-6
def test_a_transaction_that_is_left_open_is_an_error_of_the_test(app: App) -> None:
    kept = []

    @app.on("github")
    def note(message: Message, ctx: Context) -> None:
        transaction = ctx.transaction()
        transaction.__enter__()
        kept.append(transaction)

    with pytest.raises(InvalidInput, match="left a transaction open"):
        deliver(app, "github", "push", {})


# TESTING-6
def test_a_coroutine_runs_also_under_an_event_loop(app: App) -> None:
    @app.on("github")
    async def note(message: Message, ctx: Context) -> int:
        with ctx.transaction() as tx:
            return int(tx.execute("select 5")[0][0])

    async def test() -> list[Result]:
        return deliver(app, "github", "push", {})

    (result,) = asyncio.run(test())

    assert (result.state, result.error) == ("done", None)


# TESTING-13
def test_what_a_worker_opens_at_its_start_is_there_and_closed_after(app: App) -> None:
    did: list[Any] = []

    @app.worker_started
    async def begin(worker: Any) -> None:
        did.append(asyncio.get_running_loop())
        did.append(worker.store.queue("mail").stats().ready)

    @app.worker_stopping
    def end() -> None:
        did.append("end")

    @app.on("github", "push")
    async def note(message: Message, ctx: Context) -> bool:
        return asyncio.get_running_loop() is did[0]

    (result,) = deliver(app, "github", "push", {})

    assert result.result is True
    assert did[1:] == [0, "end"]
    assert deliver(app, "github", "release", {}) == []
    assert did[1:] == [0, "end"]


# TESTING-13
def test_a_start_that_fails_fails_the_test(app: App) -> None:
    @app.worker_started
    def begin() -> None:
        raise ValueError("no database")

    app.on("github")(said)

    with pytest.raises(ValueError, match="no database"):
        deliver(app, "github", "push", {})


# TESTING-13
def test_the_app_is_told_of_the_dead(app: App) -> None:
    told: list[Any] = []
    app.on("github", name="note", max_attempts=2)(_failing(ValueError("boom")))
    app.on_dead(lambda message, ctx: told.append((message.key, ctx.queue, ctx.attempt)))

    alive = deliver(app, "github", "push", {}, key="d-1")
    died = deliver(app, "github", "push", {}, key="d-2", attempts=None)

    assert [each.state for each in (*alive, *died)] == ["ready", "dead"]
    assert told == [("d-2", "note", 2)]


# TESTING-13
def test_being_told_of_the_dead_may_fail_the_test(app: App) -> None:
    app.on("github", name="note")(_failing(Discard("no")))
    app.on_dead(_failing(RuntimeError("pager is down")))

    with pytest.raises(RuntimeError, match="pager is down"):
        deliver(app, "github", "push", {})


# TESTING-7
def test_what_makes_no_sense_is_refused(app: App, tmp_path: Path) -> None:
    app.on("github", name="note")(_failing(ValueError("boom")))
    app.task("mail")(said)

    with pytest.raises(InvalidInput, match="no source 'gitlab'; the app has github, stripe"):
        deliver(app, "gitlab", "push", {})
    with pytest.raises(InvalidInput, match="no handler 'male'; the app has note, mail"):
        enqueue(app, "male")
    with pytest.raises(InvalidInput, match="event must be a str, not dict"):
        deliver(app, "github", {"a": 1})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="event must be a str, not dict"):
        signed(app, "github", {"a": 1})  # type: ignore[call-overload]
    with pytest.raises(InvalidInput, match="cannot be a dedupe key"):
        deliver(app, "github", "push", {}, "k" * 513)
    with pytest.raises(InvalidInput, match="cannot be an event"):
        deliver(app, "github", "a\nb", {})
    with pytest.raises(InvalidInput, match="bytes, str or JSON"):
        deliver(app, "github", "push", {"a": object()})
    with pytest.raises(InvalidInput, match="answers this request itself"):
        deliver(app, "slack", body={"type": "url_verification", "challenge": "x"})
    with connect(tmp_path / "mine.db") as store:
        with pytest.raises(InvalidInput, match="give clock="):
            deliver(app, "github", "push", {}, attempts=2, store=store)
        enqueue(app, "mail", b"{}", key="k", store=store)
        with pytest.raises(InvalidInput, match="no handler ran"):
            enqueue(app, "mail", b"{}", key="k", store=store)


# TESTING-14
def test_what_was_answered_or_enqueued_by_others_can_be_run(app: App, tmp_path: Path) -> None:
    tokens: list[str] = []

    def waits(message: Message, ctx: Context) -> Any:
        ctx.sleep("cool-down", 3600)
        answer = ctx.store.queue("other")
        answer.enqueue(b"next", key="n")
        tokens.append(ctx.wait_url("approval").rpartition("/")[2])
        return ctx.wait("approval")

    app.url = "https://hooks.example.com"
    app.task("waits")(waits)
    app.task("other")(lambda message, ctx: message.text())
    clock = Clock()
    with connect(tmp_path / "own.db", clock=clock) as store:
        asked = enqueue(app, "waits", key="k", attempts=None, store=store, clock=clock)
        assert (asked.state, run_ready(app, "waits", store=store)) == ("sleeping", [])

        store.resume(tokens[0], "yes")

        assert [each.result for each in run_ready(app, "waits", store=store)] == ["yes"]
        assert [each.result for each in run_ready(app, "other", store=store)] == ["next"]
        assert run_ready(app, "waits", store=store) == []
        with pytest.raises(InvalidInput, match="there is no handler 'nobody'"):
            run_ready(app, "nobody", store=store)


# TESTING-4
def test_with_all_attempts_sleeps_and_deadlines_pass(app: App) -> None:
    def sleeps(message: Message, ctx: Context) -> Any:
        ctx.sleep("long", 90 * 86_400)
        try:
            return ctx.wait("approval", timeout=86_400)
        except WaitTimeout:
            return "nobody answered"

    app.task("sleeps")(sleeps)

    assert enqueue(app, "sleeps", attempts=None).result == "nobody answered"
