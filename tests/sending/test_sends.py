"""ctx.send: once for each delivery, however often its handler runs."""

from __future__ import annotations

import contextlib
import importlib.util
from typing import Any

import pytest

from fencepost import App, Cancelled, InvalidInput, StepChanged, Store, Suspended
from fencepost import Context as WorkerContext
from fencepost.app.sending.built_in import handlers_of
from fencepost.testing import Clock, Context, enqueue

URL = "https://example.com/hooks"


def _sent(store: Store) -> list[bytes]:
    return [claim.message.body for claim in store.queue("outbox").claim(limit=99)]


# OUTBOX-12
def test_each_send_has_a_key_that_every_attempt_derives(store: Store) -> None:
    for attempt in (1, 2):
        ctx = Context(store=store, idempotency_key="k", attempt=attempt)
        found = [ctx.send(URL, b"1"), ctx.send(URL, b"2"), ctx.send(URL, b"1", key="own")]
        expected = "accepted" if attempt == 1 else "duplicate"
        assert [each.status for each in found] == [expected] * 3
    Context(store=store, idempotency_key="other").send(URL, b"1")

    assert _sent(store) == [b"1", b"2", b"1", b"1"]


# OUTBOX-12
def test_a_send_with_a_key_does_not_move_the_others(store: Store) -> None:
    Context(store=store, idempotency_key="k").send(URL, b"1")
    ctx = Context(store=store, idempotency_key="k")

    assert ctx.send(URL, b"new", key="new").status == "accepted"
    assert ctx.send(URL, b"1").status == "duplicate"


# OUTBOX-12
@pytest.mark.parametrize(("url", "body"), [(URL, b"2"), (URL + "/other", b"1")])
@pytest.mark.parametrize("key", [None, "own"])
def test_another_url_or_body_is_a_change_of_the_code(
    store: Store, url: str, body: bytes, key: str | None
) -> None:
    Context(store=store, idempotency_key="k").send(URL, b"1", key=key)

    with pytest.raises(StepChanged) as raised:
        Context(store=store, idempotency_key="k").send(url, body, key=key)

    assert raised.value.code == "step_changed"
    assert _sent(store) == [b"1"]


# OUTBOX-12
def test_a_change_of_the_code_is_a_dead_letter_at_once() -> None:
    app = App("unused.db")
    bodies = iter([b"1", b"2"])

    @app.task("mail")
    def mail(message: Any, ctx: WorkerContext) -> None:
        ctx.send(URL, next(bodies))
        raise RuntimeError("after the send")

    result = enqueue(app, "mail", attempts=9)

    assert (result.state, result.attempt) == ("dead", 2)
    assert "another URL or body" in str(result.error)


# OUTBOX-11
def test_a_send_in_the_transaction_of_the_handler_is_part_of_it(store: Store) -> None:
    ctx = Context(store=store)
    with pytest.raises(ZeroDivisionError), ctx.transaction():
        ctx.send(URL, b"undone")
        _ = 1 / 0
    with ctx.transaction():
        ctx.send(URL, b"kept")  # the second in its attempt, and the first that is stored

    assert _sent(store) == [b"kept"]


# OUTBOX-12
@pytest.mark.parametrize("in_transaction", [False, True])
def test_the_sends_of_a_step_do_not_count_with_the_others(in_transaction: bool) -> None:
    app, seen = App("unused.db"), []

    @app.task("mail")
    def mail(message: Any, ctx: WorkerContext) -> None:
        def tell(*_: Any) -> None:
            seen.append(ctx.send(URL, b"within").status)

        ctx.step("tell", tell, in_transaction=in_transaction)
        ctx.step("tell", tell, in_transaction=in_transaction)
        seen.append(ctx.send(URL, b"after").status)
        if ctx.attempt == 1:
            raise RuntimeError("again")

    result = enqueue(app, "mail", attempts=2)

    assert (result.state, result.error) == ("done", None)
    assert seen == ["accepted", "accepted", "accepted", "duplicate"]


# OUTBOX-11
def test_a_send_in_a_step_that_fails_in_its_transaction_is_undone(store: Store) -> None:
    ctx = Context(store=store)

    def fails(tx: Any) -> None:
        ctx.send(URL, b"undone")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ctx.step("fails", fails, in_transaction=True)

    assert _sent(store) == []


# OUTBOX-12
def test_a_handler_that_swallows_the_change_is_dead_all_the_same() -> None:
    app = App("unused.db")
    bodies = iter([b"1", b"2", b"3"])

    @app.task("mail")
    def mail(message: Any, ctx: WorkerContext) -> None:
        with contextlib.suppress(StepChanged):
            ctx.send(URL, next(bodies))
        if ctx.attempt == 1:
            raise RuntimeError("again")
        with pytest.raises(StepChanged):
            ctx.send(URL, b"1")

    result = enqueue(app, "mail", attempts=9)

    assert (result.state, result.attempt) == ("dead", 2)


# OUTBOX-11
def test_a_handler_that_sleeps_or_has_ended_sends_nothing(store: Store) -> None:
    ctx = Context(store=store)
    with pytest.raises(Suspended):
        ctx.sleep("nap", 60)

    with pytest.raises(Suspended):
        ctx.send(URL, b"")
    ended = Context(store=store, queue="other")
    WorkerContext.close(ended)
    with pytest.raises(InvalidInput, match="after the end"):
        ended.send(URL, b"")

    assert _sent(store) == []


# OUTBOX-11
def test_a_handler_that_was_interrupted_sends_nothing(store: Store) -> None:
    ctx = Context(store=store)

    def interrupted() -> None:
        raise Cancelled("it has to stop")

    ctx._check = interrupted
    with pytest.raises(Cancelled):
        ctx.send(URL, b"")

    assert _sent(store) == []


# OUTBOX-17
def test_without_the_extra_a_send_says_how_to_install_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(InvalidInput, match=r"pip install 'fencepost\[send\]'"):
        Context(store=store).send(URL, b"")
    assert handlers_of(App("unused.db")) == {}
    assert store.outbox(URL, b"").status == "accepted"  # another process may send it


def test_the_queue_of_webhooks_is_no_handler_s() -> None:
    app = App("unused.db")

    with pytest.raises(InvalidInput, match="built in"):
        app.task("outbox")(lambda message, ctx: None)


# OUTBOX-13
@pytest.mark.parametrize(
    "secrets",
    [
        *("whsec_x", {"": "whsec_AAAA"}, {"a": "short"}, {"a": []}, {"a": [7]}),
        *({"a": None}, {"a": 7}, {"a": b"short"}, {7: "whsec_AAAA"}, {"na me": "whsec_AAAA"}),
        {f"whsec_{'A' * 32}": "a"},  # the wrong way round
    ],
)
def test_secrets_that_cannot_sign_are_refused_and_not_shown(secrets: Any) -> None:
    with pytest.raises(InvalidInput) as raised:
        App("unused.db", secrets=secrets)

    assert "whsec_A" not in str(raised.value)


def test_a_test_sees_what_its_handler_sends() -> None:
    with Context(clock=Clock()) as ctx:
        ctx.send(URL, {"a": 1})

        assert _sent(ctx.store) == [b'{"a":1}']
