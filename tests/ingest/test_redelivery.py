"""What the sender and the log are told of redeliveries, and of events without a route."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, InvalidInput, connect
from fencepost.ingest import message_lines

from .inbox import SECRET, github, nothing


def made(redelivery: Any = "revive", route: str | None = "push", **settings: Any) -> App:
    app = App("hooks.db")
    app.source("github", scheme="github", secret=SECRET, redelivery=redelivery)
    if route is not None:
        app.on("github", route, name="deploy", **settings)(nothing)
    return app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a store, and a process that has logged no event's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(message_lines, "_unrouted", set())


def post(app: App, event: str = "push", key: str = "event-1") -> str:
    answer = app.accept("github", github(event=event, key=key), b"{}")
    assert answer.status == 200, answer
    status: str = json.loads(answer.body)["status"]
    return status


def bury() -> None:
    with connect("hooks.db") as store:
        (claim,) = store.queue("deploy").claim()
        claim.bury("no")


# REDELIVER-10
def test_the_sender_is_answered_accepted_when_its_redelivery_helps() -> None:
    app = made()
    assert post(app) == "accepted"
    assert post(app) == "duplicate"
    bury()

    assert post(app) == "accepted"
    assert post(app) == "duplicate"
    app.close()


# REDELIVER-11
def test_a_body_that_is_compressed_anew_is_the_same_body() -> None:
    app = made()
    text = b'{"n": 1}'
    sent = [
        (gzip.compress(text, mtime=1), "gzip"),
        (gzip.compress(text, mtime=2), "gzip"),
        (zlib.compress(text), "deflate"),
        (text, None),
        (gzip.compress(b'{"n": 2}', mtime=1), "gzip"),
    ]
    statuses, handled = [], []
    for body, coding in sent:
        headers = github(body, key="k") | ({"content-encoding": coding} if coding else {})
        answer = app.accept("github", headers, body)
        statuses.append(json.loads(answer.body)["status"])
        with connect("hooks.db") as store:
            for claim in store.queue("deploy").claim():
                handled.append(claim.message.json())
                assert claim.message.body == body
                claim.bury("no")

    assert statuses == ["accepted", "accepted", "accepted", "accepted", "conflict"]
    assert handled == [{"n": 1}] * 4
    app.close()


# REDELIVER-10
def test_a_source_that_ignores_redeliveries_answers_duplicate() -> None:
    app = made(redelivery="ignore")
    post(app)
    bury()

    assert post(app) == "duplicate"
    app.close()


# REDELIVER-10
@pytest.mark.parametrize("wrong", ["", "REVIVE", None, True, 1])
def test_what_else_to_do_with_redeliveries_is_refused_where_it_is_declared(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="redelivery must be one of revive, ignore"):
        made(redelivery=wrong)


# REDELIVER-10
def test_a_handler_that_may_begin_once_is_not_begun_again_by_its_sender() -> None:
    app = made(at_most_once=True)
    post(app)
    bury()

    assert post(app) == "duplicate"
    app.close()


# UNROUTED-9
def test_a_fixed_pattern_and_a_redelivery_are_all_it_takes() -> None:
    app = made(route="pusch")
    assert post(app) == "accepted"
    assert post(app) == "duplicate"
    app.close()

    app = made(route="push")
    assert post(app) == "accepted"
    app.close()

    with connect("hooks.db") as store:
        (claim,) = store.queue("deploy").claim()
        assert claim.message.body == b"{}"
        assert store.unrouted() == []


# UNROUTED-9
def test_an_event_without_a_route_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    app = made(route="deployment")
    for n, event in enumerate(("push", "ping", "push")):
        post(app, event, f"event-{n}")
    bury_key = post(app, "deployment", "event-9")
    app.close()

    said = capsys.readouterr().err + capsys.readouterr().out
    assert bury_key == "accepted"
    assert said.count("no route matches this event") == 2


# ROUTE-6
def test_a_message_whose_routes_are_off_is_answered_as_ever_and_logged_as_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = made()
    with connect("hooks.db") as store:
        store.route_off("deploy")

        assert [post(app, key=key) for key in "abb"] == ["accepted", "accepted", "duplicate"]

        assert [route.kept for route in store.routes_off()] == [2]
        store.route_on("deploy")
        store.discard_kept("deploy")
        assert [post(app, key=key) for key in "bc"] == ["duplicate", "accepted"]
        assert store.stats()["deploy"].ready == 1
    app.close()
    said = capsys.readouterr()
    assert (said.err + said.out).count("its routes are off") == 2
