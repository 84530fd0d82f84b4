"""POST /resume/<token>: the answer to a handler that waits."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from fencepost import App, Context, Message, connect
from fencepost.store import Claim
from fencepost.store.types.durable.sleep import Sleep
from fencepost.store.types.durable.wait import Place, Wanted
from fencepost.store.waiting.wait_token import make_token

from ..cli.command import run
from .inbox import SECRET
from .listening import listening
from .ways import call_wsgi, post_asgi


def work(message: Message, ctx: Context) -> None:
    """Wait for nothing."""


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app with a handler."""
    app = App(tmp_path / "hooks.db", url="https://hooks.example.com")
    app.source("github", scheme="github", secret=SECRET)
    app.task("work")(work)
    return app


@pytest.fixture
def token(app: App) -> str:
    """The token of a wait of a delivery that sleeps."""
    with connect(app.store) as store:
        store.queue("work").enqueue(b"", key="k")
        (claim,) = store.queue("work").claim()
        return _asleep(claim)


def _asleep(claim: Claim) -> str:
    engine, place = claim._engine, Place(claim.id, "approval", 1)
    claim.note_steps()
    until_ms = engine.clock.now_ms() + 3_600_000
    sleep = Sleep("approval", until_ms, True, waits=[Wanted(place, until_ms)])
    engine.durable.steps.suspend(claim.hold, sleep)
    return make_token(engine, place)


def _asgi(app: App, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    answer = post_asgi(app.asgi(), f"/mount{path}", body, {}, method)
    app.close()
    return answer.status, answer.headers, answer.body


def _wsgi(app: App, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    answer = call_wsgi(app.wsgi(), f"/mount{path}", body, {}, REQUEST_METHOD=method)
    app.close()
    return answer.status, answer.headers, answer.body


def _socket(app: App, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    with listening(app) as server:
        connection: http.client.HTTPConnection = server.connect()
        connection.request(method, path, body)
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found


ASK = {"asgi": _asgi, "wsgi": _wsgi, "socket": _socket}


# WAIT-5
@pytest.mark.parametrize("way", ASK)
def test_the_first_answer_counts(app: App, token: str, way: str) -> None:
    ask, path = ASK[way], f"/resume/{token}"

    answers = [ask(app, "POST", path, body) for body in (b'{"a": 1}', b' {"a":1} ', b"2")]

    assert [status for status, *_ in answers] == [200, 200, 409]
    assert [json.loads(body)["status"] for *_, body in answers[:2]] == ["accepted", "duplicate"]
    assert b"1" not in answers[2][2]  # it tells nothing of the first
    with connect(app.store) as store:
        (claim,) = store.queue("work").claim()
        assert store.read("select answer from fp_wait") == [('{"a":1}',)]
        claim.ack()
    assert ask(app, "POST", path, b"3")[0] == 410


# WAIT-3
@pytest.mark.parametrize("way", ASK)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_looking_at_the_url_changes_nothing(app: App, token: str, way: str, method: str) -> None:
    status, headers, _ = ASK[way](app, method, f"/resume/{token}", b"")

    assert status == 405
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    with connect(app.store) as store:
        assert store.read("select answer from fp_wait") == [(None,)]


# WAIT-1, WAIT-3
@pytest.mark.parametrize("way", ASK)
def test_what_is_wrong_with_an_answer_is_said(app: App, token: str, way: str) -> None:
    def ask(path: str, body: bytes) -> int:
        status, headers, said = ASK[way](app, "POST", path, body)
        assert headers["cache-control"] == "no-store"
        assert token.encode() not in said
        return status

    assert ask("/resume/forged", b"1") == 404
    assert ask(f"/resume/{token[:-4]}AAAA", b"1") == 404
    assert ask(f"/resume/{token}", b"{not json") == 400
    assert ask(f"/resume/{token}", b'"' + b"x" * 65_536 + b'"') == 413
    assert ask(f"/resume/{token}", b"x" * 200_000) == 413
    assert ask(f"/resume/{token}", b"") == 200  # null
    with connect(app.store) as store:
        assert store.read("select answer from fp_wait") == [("null",)]


# WAIT-3
def test_the_token_is_in_no_line_of_the_log(
    app: App, token: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in (f"/resume/{token}", f"/resume/x{token}", f"/elsewhere/{token}"):
        _socket(app, "POST", path, b"1")
        _socket(app, "GET", path, b"")

    said = capfd.readouterr()
    assert token not in said.out + said.err


# WAIT-5
def test_an_answer_may_be_typed(app: App, token: str, tmp_path: Path) -> None:
    def resume(*arguments: str) -> tuple[int, str]:
        result = run("resume", *arguments, "--store", app.store, cwd=tmp_path)
        return result.code, (result.out + result.err).strip()

    assert resume(token, '{"a": 1}') == (0, "accepted")
    assert resume(token, '{"a":1}') == (0, "duplicate")
    assert resume(token, "2") == (1, "Error: another answer was first")
    assert resume("forged", "2")[0] == 1
    for wrong in ("{", "", "NaN", "--json", "'a'"):
        assert resume(token, wrong)[0] == 2
    assert "give the answer as JSON" in resume(token)[1]


# WAIT-5
def test_a_negative_number_is_an_answer_and_a_url_a_token(
    app: App, token: str, tmp_path: Path
) -> None:
    url = f"https://hooks.example.com/resume/{token}"
    result = run("resume", url, "-5", "--store", app.store, cwd=tmp_path)

    assert (result.code, result.out) == (0, "accepted\n")


# WAIT-2
def test_secrets_are_rotated_and_retired(app: App, token: str, tmp_path: Path) -> None:
    def secrets(*arguments: str) -> tuple[int, str]:
        result = run("secrets", *arguments, "--store", app.store, cwd=tmp_path)
        return result.code, result.out

    assert secrets("retire", "1")[0] == 1
    assert secrets("rotate") == (0, "secret 2 signs from now on\n")
    rows = json.loads(secrets("list", "--json")[1])
    assert [(row["id"], row["signs"]) for row in rows] == [(1, False), (2, True)]
    assert "secret" not in rows[0]
    assert secrets("retire", "1") == (0, "retired secret 1\n")
    with connect(app.store) as store:
        assert store.resume(token, 1) == "unknown"
