"""A webhook is answered the same, whichever way it comes in."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, InvalidInput, connect

from ..processes import line_of, running
from ..sqlite.holder import foreign_writer
from .inbox import SECRET, github, nothing, stored
from .vectors import Headers, sign_slack
from .ways import WAYS, Answered, Post

SLACK = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Two sources, and a queue with room for one."""
    app = App(tmp_path / "hooks.db")
    app.source("github", scheme="github", secret=SECRET, max_body=1000)
    app.source("slack", scheme="slack", secret=SLACK)
    app.on("github", "push")(note)
    app.on("github", "full", name="full", max_rows=1)(nothing)
    app.on("slack")(note)
    return app


def note(message: Any, ctx: Any) -> None:
    """Handle nothing: no worker runs here."""


def _slack(body: bytes) -> Headers:
    return sign_slack(SLACK, body.decode(), int(time.time()))


Case = Callable[[Post, str], Iterable[Answered]]

CASES: dict[str, Case] = {
    "accepted": lambda post, k: [post("github", b"{}", github(key=k))],
    "duplicate": lambda post, k: [post("github", b"{}", github(key=k)) for _ in range(2)],
    "conflict": lambda post, k: [post("github", b, github(b, key=k)) for b in (b"{}", b'{"n": 1}')],
    "two": lambda post, k: [post("github", b"{}", github(key=k + key)) for key in "12"],
    "unrouted": lambda post, k: [post("github", b"{}", github(key=k, event="ping"))],
    "full": lambda post, k: [
        post("github", b"{}", github(key=k + key, event="full")) for key in "12"
    ],
    "no such source": lambda post, k: [post("nobody", b"{}", github(key=k))],
    "unsigned": lambda post, k: [post("github", b"{}", {})],
    "forged": lambda post, k: [post("github", b"{}", github(secret="other"))],
    "no key": lambda post, k: [post("github", b"{}", github(key=None))],
    "not JSON": lambda post, k: [post("github", b"{", github(b"{"))],
    "no body": lambda post, k: [post("github", b"", github(b""))],
    "at the cap": lambda post, k: [post("github", b'"' + b"x" * 998 + b'"', {})],
    "over the cap": lambda post, k: [post("github", b"x" * 1001, github(b"x" * 1001))],
    "challenge": lambda post, k: [
        post("slack", body, _slack(body))
        for body in [b'{"type": "url_verification", "challenge": "3eZ"}']
    ],
    "certificate": lambda post, k: [
        post("slack", b"ssl_check=1", {"content-type": "application/x-www-form-urlencoded"})
    ],
    "silent": lambda post, k: [
        post("slack", body, {**_slack(body), "content-type": "application/x-www-form-urlencoded"})
        for body in [b"command=%2Fdeploy&trigger_id=1.2"]
    ],
}

STATUSES = {200, 400, 401, 404, 413, 503}


# ACCEPT-1
def test_every_way_in_answers_what_the_receiver_answers(app: App) -> None:
    answers: dict[str, Any] = {}
    for way, open_way in WAYS.items():
        app.store = app.store.removesuffix(".db") + way + ".db"
        with open_way(app) as post:
            answers[way] = {name: list(case(post, name)) for name, case in CASES.items()}

    expected = answers["receiver"]
    assert {one.status for found in expected.values() for one in found} == STATUSES
    for way, found in answers.items():
        different = {name: (found[name], expected[name]) for name in CASES}
        assert {name: pair for name, pair in different.items() if pair[0] != pair[1]} == {}, way


# ACCEPT-2
def test_one_key_by_every_way_is_one_message(app: App) -> None:
    headers = github(b'{"n": 1}', key="d-1")
    answers: list[Any] = []
    for way in WAYS.values():
        with way(app) as post:
            answers.append(post("github", b'{"n": 1}', headers).json())

    assert answers == [{"id": 1, "status": "accepted"}, *[{"id": 1, "status": "duplicate"}] * 5]
    with connect(app.store) as store:
        (delivery,) = store.deliveries()
        content = store.content(delivery.id)
    assert content is not None
    assert content.headers == headers


# ACCEPT-1
@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_busy_store_is_503_in_time_by_every_way(app: App, way: Any) -> None:
    connect(app.store).close()
    with way(app) as post:
        assert post("github", b"{}", github(key="1")).status == 200
        started = time.monotonic()
        with foreign_writer(app.store):
            refused = post("github", b"{}", github(key="2"))
        seconds = time.monotonic() - started
        again = post("github", b"{}", github(key="2"))

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert seconds < 3
    assert again.json()["status"] == "accepted"


# ACCEPT-3
def test_a_store_that_cannot_be_opened_is_503_until_it_can(tmp_path: Path) -> None:
    app = App(tmp_path / "later" / "hooks.db")
    app.source("github", scheme="github", secret=SECRET)

    before = app.accept("github", github(key="1"), b"{}")
    before_async = asyncio.run(app.accept_async("github", github(key="1"), b"{}"))
    (tmp_path / "later").mkdir(mode=0o700)
    after = app.accept("github", github(key="1"), b"{}")
    app.close()

    assert (before.status, before_async.status, after.status) == (503, 503, 200)
    assert before.headers["Retry-After"] == "1"


# ACCEPT-4
@pytest.mark.parametrize(
    "form",
    [
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: {name.encode(): value.encode() for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: ((name.title(), value.encode()) for name, value in headers.items()),
        lambda headers: {name: [value] for name, value in headers.items()},
        lambda headers: {name: f" {value} " for name, value in headers.items()},
    ],
    ids=["upper case", "bytes", "pairs", "a generator", "lists", "blanks"],
)
def test_headers_and_body_are_taken_as_a_framework_has_them(
    app: App, form: Callable[[Mapping[str, str]], Any]
) -> None:
    answers = [
        app.accept("github", form(github(key="1")), body)
        for body in (b"{}", bytearray(b"{}"), memoryview(b"{}"))
    ]
    app.close()

    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].headers["Content-Type"] == "application/json"


# ACCEPT-4
@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({}, "{}", "bytes as they came"),
        ({}, None, "bytes as they came"),
        ({"wsgi.version": (1, 0)}, b"{}", "not its environment"),
        ({"x-a": None}, b"{}", "must be str or bytes"),
        (None, b"{}", "mapping or pairs"),
        (["x-a"], b"{}", "mapping or pairs"),
    ],
)
def test_what_is_no_request_is_refused_to_the_caller(
    app: App, headers: Any, body: Any, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        app.accept("github", headers, body)


# ACCEPT-2
def test_a_header_that_stands_twice_has_no_meaning_here_either(app: App) -> None:
    twice = [*github(key="1").items(), ("X-GitHub-Delivery", "2")]

    assert app.accept("github", twice, b"{}").status == 400


# ACCEPT-5
def test_threads_share_the_store_that_the_first_has_opened(app: App) -> None:
    answers: list[int] = []

    def post(number: int) -> None:
        answers.append(app.accept("github", github(key=str(number % 20)), b"{}").status)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app.close()

    assert answers == [200] * 40
    assert stored(Path(app.store)) == 20


# ACCEPT-5
def test_event_loops_share_it_too(app: App) -> None:
    answers: list[int] = []

    async def post(loop: int) -> None:
        posting = (app.accept_async("github", github(key=str(n)), b"{}") for n in range(10))
        answers.extend(answer.status for answer in await asyncio.gather(*posting))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(post(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app.close()

    assert answers == [200] * 40
    assert stored(Path(app.store)) == 10


# ACCEPT-6
def test_each_process_after_a_fork_opens_its_own(app: App, tmp_path: Path) -> None:
    code = f"""
import os
from fencepost import App
app = App({app.store!r})
app.source("github", scheme="github", secret={SECRET!r})
def post(key):
    headers = {github(key=None)!r} | {{"x-github-delivery": key}}
    assert app.accept("github", headers, b"{{}}").status == 200
post("parent")
children = []
for number in range(4):
    if (child := os.fork()) == 0:
        post("parent")
        post(f"child {{number}}")
        os._exit(0)
    children.append(child)
post("parent again")
codes = [os.waitpid(child, 0)[1] for child in children]
app.close()
post("parent at last")
print(codes, flush=True)
"""
    with running(["-W", "error", "-c", code], cwd=tmp_path) as process:
        said, _ = process.communicate(timeout=60)

    assert said == "[0, 0, 0, 0]\n"
    assert stored(Path(app.store)) == 7
    assert not os.path.exists(app.store + "-wal")  # closed at the exit


# ACCEPT-7
def test_what_was_answered_200_outlives_the_process(app: App, tmp_path: Path) -> None:
    code = f"""
import itertools, os, threading
from fencepost import App
app = App({app.store!r})
app.source("github", scheme="github", secret={SECRET!r})
headers = {github(key=None)!r}
def post(name):
    for number in itertools.count():
        key = f"{{name}}-{{number}}"
        answer = app.accept("github", headers | {{"x-github-delivery": key}}, b"{{}}")
        if answer.status == 200:
            os.write(1, f"{{key}}\\n".encode())  # in one piece, beside the other threads
for name in "abc":
    threading.Thread(target=post, args=(name,)).start()
"""
    with running(["-c", code], cwd=tmp_path) as process:
        said = [line_of(process) for _ in range(30)]
        process.kill()
        said += process.communicate()[0].split("\n")[:-1]  # the last may be cut

    with connect(app.store) as store, store.transaction() as tx:
        found = {row[0] for row in tx.execute("select key from fp_message")}
    assert set(said) <= found
