"""The result of a handler as the answer to the request, by every way into an app."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Claim, InvalidInput, connect
from fencepost.ingest.web.asgi import Asgi

from ..processes import PATIENCE_SECONDS, wait_until
from .inbox import SECRET, github, nothing
from .listening import listening
from .ways import WAYS, Answered

# So long no test takes: an answer that comes has not waited for it.
LONG = 60.0

RESULT = {"text": "three pushes", "n": [1, 2.5, None]}


def app_of(folder: Path, within: float = LONG) -> App:
    """Return an app whose handler `answer` answers pushes."""
    app = App(str(folder / "hooks.db"))
    app.source("github", scheme="github", secret=SECRET)
    app.on("github", "push", name="first")(nothing)
    app.on("github", "push", name="answer", respond=True, within=within)(nothing)
    app.on("github", "push", name="late", respond=True, within=0.01)(nothing)
    app.on("github", "issues", name="note")(nothing)
    connect(app.store).close()
    return app


@contextlib.contextmanager
def working(app: App, end: Callable[[Claim], object], queue: str = "answer") -> Iterator[None]:
    """End one delivery of a queue, once there is one, as a pool in another process would."""

    def work() -> None:
        with connect(app.store) as store:
            (claim,) = wait_until(store.queue(queue).claim, "there is a delivery")
            end(claim)

    worker = threading.Thread(target=work)
    worker.start()
    yield
    worker.join(PATIENCE_SECONDS)
    assert not worker.is_alive()


def _usual(answered: Answered) -> bool:
    return answered.status == 200 and answered.json().keys() == {"id", "status"}


# RESPOND-1
@pytest.mark.parametrize("way", WAYS)
def test_the_answer_is_the_result_that_is_committed_in_time(way: str, tmp_path: Path) -> None:
    app = app_of(tmp_path)
    with WAYS[way](app) as post, working(app, lambda claim: claim.ack(RESULT)):
        answered = post("github", b"{}", github(key="k"))

        assert (answered.status, answered.json()) == (200, RESULT)
        assert answered.headers["content-type"] == "application/json"
        again = post("github", b"{}", github(key="k"))
        assert again.json() == RESULT  # a duplicate, and nobody works


# RESPOND-2
@pytest.mark.parametrize("way", WAYS)
def test_the_answer_is_the_usual_one_when_there_is_no_result_in_time(
    way: str, tmp_path: Path
) -> None:
    app = app_of(tmp_path, within=0.02)
    with WAYS[way](app) as post:
        answered = post("github", b"{}", github(key="k"))

        assert _usual(answered)
        with working(app, lambda claim: claim.ack(RESULT)):
            pass
        assert post("github", b"{}", github(key="k")).json() == RESULT


# RESPOND-2
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "end",
    [lambda claim: claim.bury("no"), lambda claim: claim.ack(None)],
    ids=["dead", "no result"],
)
def test_the_usual_answer_comes_at_once_when_there_will_be_no_other(
    end: Callable[[Claim], object], way: str, tmp_path: Path
) -> None:
    app = app_of(tmp_path)
    with WAYS[way](app) as post, working(app, end):
        assert _usual(post("github", b"{}", github()))


# RESPOND-2
@pytest.mark.parametrize("way", WAYS)
def test_what_no_handler_answers_or_has_another_body_is_answered_at_once(
    way: str, tmp_path: Path
) -> None:
    app = app_of(tmp_path)
    with WAYS[way](app) as post:
        assert _usual(post("github", b"{}", github(event="issues")))
        assert _usual(post("github", b"{}", github(event="unheard")))
        with working(app, lambda claim: claim.ack(RESULT)):
            post("github", b"{}", github(key="k"))
        conflict = post("github", b'{"other": 1}', github(b'{"other": 1}', key="k"))
        assert conflict.json()["status"] == "conflict"
        assert post("github", b"x", {"x-github-event": "push"}).status == 401


# RESPOND-3
def test_the_first_of_several_that_answer_answers(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    late = working(app, lambda claim: claim.ack("late"), "late")
    first = working(app, lambda claim: claim.ack("answer"))
    with WAYS["accept"](app) as post, late, first:
        assert post("github", b"{}", github()).json() == "answer"


# RESPOND-4
@pytest.mark.parametrize("way", ["receiver", "accept"])
def test_no_more_than_so_many_requests_are_held(way: str, tmp_path: Path) -> None:
    app = app_of(tmp_path)
    lazy_store = app._embedded._lazy_store
    if way == "receiver":
        lazy_store = Asgi(app, lazy_store).lazy_store
    assert lazy_store.held.most == 1000
    lazy_store.held.most = 1
    assert lazy_store.held.take()

    with WAYS["accept" if way == "accept" else "asgi"](app) as post:
        assert _usual(post("github", b"{}", github()))

        lazy_store.held.let_go()
        with working(app, lambda claim: claim.ack("one")):  # the one that was not held
            pass
        with working(app, lambda claim: claim.ack("two")):
            assert post("github", b"{}", github()).json() == "two"
    assert lazy_store.held.count == 0


# RESPOND-4
def test_a_held_request_keeps_no_other_waiting(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    with listening(app) as server, contextlib.closing(server.connect()) as held:
        held.request("POST", "/in/github", b"{}", github())
        wait_until(lambda: server.receiver.lazy_store.held.count == 1, "it is held")
        wait_until(lambda: server.receiver.at_once == 0, "it counts as held alone")

        with contextlib.closing(server.connect()) as other:
            other.request("POST", "/in/github", b"{}", github(event="issues"))
            assert other.getresponse().status == 200

        with working(app, lambda claim: claim.ack(RESULT)):
            assert held.getresponse().read() == b'{"text": "three pushes", "n": [1, 2.5, null]}'
        wait_until(lambda: server.receiver.lazy_store.held.count == 0, "it is held no more")


# RESPOND-4
def test_a_sender_that_goes_leaves_nothing_held(tmp_path: Path) -> None:
    app = app_of(tmp_path, within=1)
    with listening(app) as server:
        connection: http.client.HTTPConnection = server.connect()
        connection.request("POST", "/in/github", b"{}", github())
        wait_until(lambda: server.receiver.lazy_store.held.count == 1, "it is held")
        connection.close()

        wait_until(lambda: server.receiver.lazy_store.held.count == 0, "it is held no more")


# RESPOND-4
def test_a_held_request_has_the_usual_answer_when_it_is_cancelled(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    held = app._embedded._lazy_store.held

    async def run() -> list[MutableMapping[str, Any]]:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"{}"}

        async def send(event: MutableMapping[str, Any]) -> None:
            sent.append(event)

        pairs = [(name.encode(), value.encode()) for name, value in github().items()]
        scope = {"type": "http", "method": "POST", "path": "/in/github", "headers": pairs}
        asgi = app.asgi()
        request = asyncio.ensure_future(asgi(scope, receive, send))
        while not held.count or asgi.at_once:
            await asyncio.sleep(0.001)
        request.cancel()  # as uvicorn does when it has waited long enough for its shutdown
        await request
        return sent

    sent = asyncio.run(run())

    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"])["status"] == "accepted"
    assert held.count == 0
    app.close()


# RESPOND-4
def test_each_of_many_at_once_gets_its_own_result(tmp_path: Path) -> None:
    app = app_of(tmp_path)

    def work() -> None:
        done = 0
        with connect(app.store) as store:
            while done < 100:
                for claim in wait_until(lambda: store.queue("answer").claim(limit=7), "more"):
                    claim.ack(claim.message.key)
                    done += 1

    async def run() -> list[object]:
        requests = [
            app.accept_async("github", github(key=f"k{n}"), b"{}")
            for n in [*range(100), *range(100)]  # each of them twice
        ]
        return [json.loads(answer.body) for answer in await asyncio.gather(*requests)]

    worker = threading.Thread(target=work)
    worker.start()
    answers = asyncio.run(run())
    worker.join(PATIENCE_SECONDS)

    assert answers == [f"k{n}" for n in range(100)] * 2
    assert app._embedded._lazy_store.held.count == 0
    app.close()


# RESPOND-4
def test_a_held_request_has_the_usual_answer_when_the_store_is_closed(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    waiting = app._embedded._lazy_store
    answers: list[bytes] = []
    request = threading.Thread(
        target=lambda: answers.append(app.accept("github", github(), b"{}").body)
    )
    request.start()
    wait_until(
        lambda: waiting.is_open and waiting.open().engine.durable.ends.waiting.count, "it is held"
    )

    app.close()
    request.join(PATIENCE_SECONDS)

    assert json.loads(answers[0])["status"] == "accepted"
    assert waiting.held.count == 0


# RESPOND-5
def test_settings_that_answer_nobody_are_refused(tmp_path: Path) -> None:
    app = App(str(tmp_path / "hooks.db"))
    app.source("github", scheme="github", secret=SECRET)

    with pytest.raises(InvalidInput, match="within is for handlers with respond=True"):
        app.on("github", name="a", within=2)(nothing)
    with pytest.raises(InvalidInput, match="within must be at most 60 s"):
        app.on("github", name="a", respond=True, within=61)(nothing)
    app.task("a", respond=True)(nothing)
    with pytest.raises(InvalidInput, match="on no source: nobody waits for it"):
        app.check()
