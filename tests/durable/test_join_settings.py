"""What coalesce goes with, and what it is refused beside; and joins in the tests of users."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, Message, connect, testing
from fencepost.store.types.messages.draft import Draft


def _app() -> App:
    app = App("hooks.db")
    app.source("shop", scheme="hmac", secret="s", header="x-s", key="header:x-id")
    return app


def _key(message: Any) -> str:
    return str(message.json()["id"])


def _handler(messages: Any, ctx: Any) -> None: ...


# JOIN-1, JOIN-10
@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda app: app.on("shop", coalesce=_key, lane=_key), "lane"),
        (lambda app: app.on("shop", coalesce=_key, lane_policy="skip"), "lane_policy"),
        (lambda app: app.on("shop", coalesce=True), "function of the message"),
        (lambda app: app.on("shop", coalesce="id"), "function of the message"),
        (lambda app: app.on("shop", coalesce=_key, at_most_once=True), "at_most_once"),
        (lambda app: app.on("shop", coalesce=_key, prefetch=2), "prefetch"),
        (lambda app: app.on("shop", coalesce=_key, most=0), "most"),
        (lambda app: app.on("shop", coalesce=_key, window=-1), "window"),
        (lambda app: app.on("shop", window=5), "coalesce"),
        (lambda app: app.on("shop", debounce=True, most=3), "most and debounce"),
        (lambda app: app.task("work", coalesce=_key), "coalesce=True"),
        (lambda app: app.task("work", coalesce=True, window=1), "window"),
        (lambda app: app.task("work", coalesce=True, latest_only=True), "latest_only"),
        (lambda app: app.every(minutes=5, coalesce=_key), "a schedule"),
        (lambda app: app.command("shop", "*", "true", coalesce=_key), "a command"),
    ],
)
def test_what_does_not_go_with_coalesce_is_refused(
    declare: Callable[[App], Any], says: str
) -> None:
    app = _app()

    with pytest.raises(InvalidInput, match=says):
        declare(app)(_handler)


# JOIN-1
def test_a_handler_may_say_that_it_takes_a_list_of_messages() -> None:
    app = _app()  # mypy looks at the three handlers

    @app.on("shop", coalesce=_key)
    def stock(messages: list[Message], ctx: Context) -> None: ...

    @app.task("prices", coalesce=True)
    async def prices(messages: list[Message], ctx: Context) -> None: ...

    @app.task("one")
    def one(message: Message, ctx: Context) -> None: ...

    assert [each.coalesce is None for each in app.handlers.values()] == [False, False, True]


# JOIN-1
def test_one_handler_may_join_what_several_routes_match() -> None:
    app = _app()
    settings: dict[str, Any] = {"coalesce": _key, "window": 1}

    app.on("shop", "a", name="both", **settings)(_handler)
    app.on("shop", "b", name="both", **settings)(_handler)

    assert list(app.handlers) == ["both"]


# JOIN-1
@pytest.mark.parametrize(
    ("found", "lane", "refused"),
    [
        (None, None, False),
        ("", None, False),
        (7, "7", False),
        ("7", "7", False),
        ("x" * 512, "x" * 512, False),
        ("x" * 513, None, True),
        ("a\nb", None, True),
    ],
)
def test_what_the_function_returns_is_the_key_none_or_refused(
    found: Any, lane: str | None, refused: bool
) -> None:
    app = _app()
    app.on("shop", "stock", coalesce=lambda message: found)(_handler)

    (address,) = app.addresses(Message(0, "shop", "k", "stock", {}, b"", 0.0))

    assert address.lane == lane
    assert (address.join is None) == (lane is None)
    assert (address.refused is not None) == refused


# JOIN-9
def test_with_latest_only_the_attempt_and_the_key_are_those_of_the_newest(tmp_path: Path) -> None:
    app, seen = _app(), []

    @app.on("shop", "stock", coalesce=_key, latest_only=True, backoff=1)
    def stock(messages: Any, ctx: Any) -> None:
        seen.append((messages[0].key, ctx.attempt, ctx.idempotency_key))
        if ctx.attempt == 1:
            raise ValueError("first")

    clock = testing.Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        older = Message(0, "shop", "older", "stock", {}, b'{"id": 1}', 0.0)
        draft = Draft("shop", "shop", "older", "stock", {}, older.body, app.addresses(older))
        store.engine.queue.enqueue([draft])
        testing.deliver(
            app, "shop", "stock", {"id": 1}, "newer", store=store, clock=clock, attempts=2
        )

    (_, _, key), _ = seen
    assert seen == [("newer", 1, key), ("newer", 2, key)]


# JOIN-12
@pytest.mark.parametrize("is_async", [False, True])
def test_deliver_hands_over_what_waits_for_the_same_key(tmp_path: Path, is_async: bool) -> None:
    app, calls = _app(), []

    def note(messages: Any, ctx: Any) -> dict[str, int]:
        calls.append([message.key for message in messages])
        for message in messages:
            if message.key == "bad" and len(calls) == 1:
                ctx.fail(message, ValueError("bad"))
        return {"n": len(messages)}

    async def later(messages: Any, ctx: Any) -> dict[str, int]:
        return note(messages, ctx)

    app.on("shop", "stock", name="stock", coalesce=_key)(later if is_async else note)
    clock = testing.Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        waiting = Message(0, "shop", "bad", "stock", {}, b'{"id": 1}', 0.0)
        draft = Draft("shop", "shop", "bad", "stock", {}, waiting.body, app.addresses(waiting))
        store.engine.queue.enqueue([draft])
        (good,) = testing.deliver(app, "shop", "stock", {"id": 1}, "a", store=store, clock=clock)
        failed = store.delivery(1)

    assert calls == [["bad", "a"]]
    assert (good.state, good.result) == ("done", {"n": 2})
    assert failed is not None
    assert failed.state == "ready"
    assert (failed.error or "").startswith("ValueError: bad")


# JOIN-6, JOIN-12
def test_a_message_that_failed_says_so_to_its_test() -> None:
    app = _app()

    @app.on("shop", "stock", coalesce=_key)
    def stock(messages: Any, ctx: Any) -> None:
        ctx.fail(messages[0], "out of stock")

    (result,) = testing.deliver(app, "shop", "stock", {"id": 1})

    assert (result.state, result.attempt, result.error) == ("ready", 1, "out of stock")
