"""The same bytes by the fast lane and by the full way: the same answers, and the same is stored."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fencepost import App, Context, Message, Store, connect
from fencepost.ingest.web.fast_lane import FastLane
from fencepost.ingest.web.wire import Wire

from .inbox import SECRET, github, nothing
from .listening import Listening, Said, listening
from .vectors import sign_slack

CAP = 2000
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


class Case(NamedTuple):
    """What a sender sends over one connection.

    Attributes:
        answers: How many answers come; one more is waited for where the server closes.
        closes: The server closes the connection after them.
    """

    segments: Sequence[bytes]
    answers: int = 1
    closes: bool = False


def raw(
    body: bytes = b"{}",
    *more: str,
    path: str = "/in/github",
    method: str = "POST",
    version: str = "HTTP/1.1",
    length: bool = True,
    headers: dict[str, str] | None = None,
    key: str | None = "k",
) -> bytes:
    """Return a request; `more` are lines of its head."""
    given = github(body, key=key) if headers is None else headers
    lines = [f"{method} {path} {version}", "Host: x"]
    lines += [f"{name}: {value}" for name, value in given.items()]
    lines += [f"Content-Length: {len(body)}"] * length
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1") + body


def chunked(body: bytes, *more: str) -> bytes:
    head = raw(b"", *more, "Transfer-Encoding: chunked", length=False, headers=github(body))
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def pieces(request: bytes, size: int) -> list[bytes]:
    return [request[start : start + size] for start in range(0, len(request), size)]


def slack(body: bytes, kind: str = "application/json") -> bytes:
    signed = sign_slack(SLACK_SECRET, body.decode(), int(time.time()))
    return raw(body, path="/in/slack", headers={**signed, "Content-Type": kind})


def cases() -> dict[str, Case]:
    body = b'{"a":1}'
    long = b'{"a":"' + b"x" * (CAP - 8) + b'"}'
    packed = gzip.compress(body, mtime=0)
    form = "application/x-www-form-urlencoded"
    close = "Connection: close"
    return {
        "new": Case([raw(key="new")]),
        "three times": Case([raw(key="again")] * 3, 3),
        "other body": Case([raw(key="other"), raw(body, key="other")], 2),
        "wrong signature": Case([raw(headers=github(b"x"))]),
        "no signature": Case([raw(headers={"X-GitHub-Event": "push"})]),
        "no key": Case([raw(key=None)]),
        "no JSON": Case([raw(b"{")]),
        "empty": Case([raw(b"")]),
        "no length": Case([raw(b"", length=False)]),
        "no route": Case([raw(path="/in/unrouted")]),
        "no source": Case([raw(path="/in/nobody")]),
        "another path": Case([raw(path="/else")]),
        "a path below": Case([raw(path="/in/github/x")]),
        "a slash more": Case([raw(path="/in/github/")]),
        "a query": Case([raw(path="/in/github?x=1", key="query")]),
        "an escaped path": Case([raw(path="/in/git%68ub", key="escaped")]),
        "a whole URL": Case([raw(path="http://x/in/github", key="url")]),
        "PUT": Case([raw(method="PUT")]),
        "GET": Case([raw(b"", method="GET")]),
        "HTTP/1.0": Case([raw(key="1.0", version="HTTP/1.0")], 1, True),
        "close": Case([raw(b"{}", close, key="close")], 1, True),
        "refused and close": Case([raw(b"{}", close, headers=github(b"x"))], 1, True),
        "chunked": Case([chunked(body)]),
        "length and close late": Case([raw(key="l1"), raw(b"{}", close, key="l2")], 2, True),
        "asks first": Case([raw(b"{}", "Expect: 100-continue", key="asks")], 2),
        "expects else": Case([raw(b"{}", "Expect: else", key="expects")]),
        "pipelined": Case([raw(key="p1") + raw(key="p2") + raw(key="p1")], 3),
        "pipelined with another": Case(
            [raw(key="p3") + raw(b"", method="GET", path="/healthz") + raw(key="p4")], 3
        ),
        "pipelined after a refusal": Case([raw(headers=github(b"x")) + raw(key="p5")], 2),
        "pipelined after close": Case([raw(b"{}", close, key="p6") + raw(key="p7")], 1, True),
        "pipelined after refusal and close": Case(
            [raw(b"{}", close, headers=github(b"x")) + raw(key="p8")], 1, True
        ),
        "pipelined in pieces": Case(pieces(raw(key="p9") + raw(body, key="p10"), 100), 2),
        "byte by byte": Case(pieces(raw(key="bytes"), 1)),
        "body in pieces": Case(pieces(raw(long, key="pieces"), 700)),
        "at the cap": Case([raw(long, key="cap")]),
        "over the cap": Case([raw(long + b" ", key="over")], 1, True),
        "far over the cap": Case([raw(b" " * 100 * CAP, key="far")], 1, True),
        "a header twice": Case([raw(b"{}", "X-A: 1", "x-a: 2", key="twice")]),
        "a signed header twice": Case([raw(b"{}", "X-Hub-Signature-256: x")]),
        "letters in headers": Case(
            [raw(b"{}", "X-A: \xe9\xff", "X-B:", "X-C: \t d ", key="latin")]
        ),
        "credentials": Case([raw(b"{}", "Authorization: a", "Cookie: b", key="secret")]),
        "an offer": Case([raw(b"{}", "Connection: Upgrade", "Upgrade: h2c", key="offer")]),
        "a handshake": Case([slack(b'{"type":"url_verification","challenge":"c"}')]),
        "an early handshake": Case([raw(b"ssl_check=1", path="/in/slack", headers=form_of(form))]),
        "an empty answer": Case([slack(b"command=%2Fx&trigger_id=1", form)]),
        "compressed": Case(
            [raw(packed, "Content-Encoding: gzip", headers=github(packed, key="gzip"))]
        ),
        "compressed too far": Case(
            [
                raw(
                    bomb := gzip.compress(b" " * 9000),
                    "Content-Encoding: gzip",
                    headers=github(bomb),
                )
            ]
        ),
        "a full queue": Case([raw(path="/in/full", key="f1"), raw(path="/in/full", key="f2")], 2),
        "a lane": Case([raw(path="/in/lanes", key="lane")]),
        "a lane that raises": Case([raw(body, path="/in/lanes", key="raises")]),
        "a long head": Case([raw(b"{}", *[f"X-{n}: {'a' * 900}" for n in range(60)], key="head")]),
    }


def form_of(kind: str) -> dict[str, str]:
    return {"Content-Type": kind}


def lane(message: Message) -> str:
    if message.body == b"{}":
        return "a"
    raise ZeroDivisionError


def app_in(folder: Path) -> App:
    app = App(str(folder / "hooks.db"))
    for source in ("github", "unrouted", "full", "lanes"):
        app.source(source, scheme="github", secret=SECRET, max_body=CAP)
    app.source("slack", scheme="slack", secret=SLACK_SECRET)
    app.on("github", name="note")(nothing)
    app.on("full", name="full", max_rows=1)(full)
    app.on("lanes", name="lanes", lane=lane)(in_lanes)
    return app


def full(message: Message, ctx: Context) -> None:
    """Handle nothing: no worker runs here."""


def in_lanes(message: Message, ctx: Context) -> None:
    """Handle nothing: no worker runs here."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Listening, Listening]]:
    """A server with the fast lane and one without, each with a store of its own."""
    apps = [app_in(tmp_path_factory.mktemp(name)) for name in ("fast", "full")]
    with listening(apps[0], FastLane) as fast, listening(apps[1], Wire) as slow:
        yield fast, slow


# ACCEPT-8
@pytest.mark.parametrize("name", list(cases()))
def test_the_fast_lane_answers_and_stores_what_the_full_way_does(
    both: tuple[Listening, Listening], name: str
) -> None:
    case = cases()[name]

    fast, slow = (server.answers(case.segments, case.answers + case.closes) for server in both)

    assert fast == slow
    assert len(fast) == case.answers
    assert [said.status[:9] for said in fast] == [b"HTTP/1.1 "] * case.answers
    assert everything(both[0]) == everything(both[1])
    assert [server.receiver.at_once for server in both] == [0, 0]


# ACCEPT-8
def test_what_raises_is_answered_and_closes_the_connection_as_on_the_full_way(
    tmp_path: Path,
) -> None:
    class Rude(App):
        def common_addresses(self, source: str, event: str) -> Any:
            raise ZeroDivisionError

    said: list[list[Said]] = []
    for connections in (FastLane, Wire):
        app = Rude(str(tmp_path / f"{connections.__name__}.db"))
        app.source("github", scheme="github", secret=SECRET)
        with listening(app, connections) as server:
            said.append(server.answers([raw()], 2))
            assert server.receiver.at_once == 0

    assert said[0] == said[1]
    assert [answer.status for answer in said[0]] == [b"HTTP/1.1 500 Internal Server Error\r\n"]


def everything(server: Listening) -> list[Any]:
    """Return what is stored, but for ids of the process and times."""
    with connect(server.receiver.app.store) as store:
        deliveries = sorted(store.deliveries(limit=1000), key=lambda each: each.id)
        return [
            (
                each.id,
                each.queue,
                each.state,
                each.key,
                each.event,
                each.error,
                content(store, each),
            )
            for each in deliveries
        ] + [(each.source, each.event, each.count) for each in store.unrouted_counts()]


def content(store: Store, delivery: Any) -> Any:
    found = store.content(delivery.id)
    if found is None:
        return None
    headers = {name: text for name, text in found.headers.items() if not signed_by_time(name)}
    return json.dumps(headers), found.body


def signed_by_time(name: str) -> bool:
    return name.startswith("x-slack-")
