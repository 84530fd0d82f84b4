"""What the receiver reads of a body is what its message says to handlers and lanes."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fencepost import App, Message, connect
from fencepost.schemes import build
from fencepost.schemes.request import Event, Malformed, Request

from .inbox import SECRET, Inbox, github, nothing, stored
from .vectors import VENDORS, hex_hmac

FORM = "application/x-www-form-urlencoded"

members = st.sampled_from(
    [
        '"id": 1',
        '"id": "1"',
        '"id": 2',
        '"id": true',
        '"id": -0',
        '"id": 1.0',
        '"id": 1e2',
        '"id": 12345678901234567890123456789',
        '"id": ' + "9" * 5_000,
        '"id": NaN',
        '"id": -Infinity',
        '"id": "cut \\ud83d"',
        '"id": "\\ud83d\\ude00"',
        '"id": "\\u0000"',
        '"id": " "',
        '"id": ""',
        '"id": null',
        '"id": ["x"]',
        '"id": 01',
        '"id": "tab\there"',
        '"\\u0069d": "escaped"',
        '"type": "paid"',
        '"type": "Zürich"',
        '"n": ' + "[" * 498 + "]" * 498,
        '"n": ' + "[" * 520 + "]" * 520,
        '"n": 1e999',
        '"n": ' + "9" * 5_000,
        '"n": nan',
    ]
)
documents = st.lists(members, max_size=4).map(lambda found: "{" + ", ".join(found) + "}")
texts = documents | documents.map(lambda found: "\ufeff" + found) | st.text(max_size=8)
charsets = st.sampled_from(["", "utf-8", "latin-1", "utf-16", "utf-16-be", "utf-32", "bogus"])
codings = st.sampled_from(["", "gzip", "deflate", "gzip, gzip", "br"])
kinds = st.sampled_from(["application/json", "application/vnd.x+json", "text/plain", FORM, ""])


def packed(body: bytes, coding: str) -> bytes:
    """Return the body in a coding; as it is for one that Python has not."""
    if coding == "gzip":
        return gzip.compress(body, mtime=0)
    return zlib.compress(body) if coding == "deflate" else body


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Draw a request with an odd body, labelled rightly or not."""
    text, kind = draw(texts), draw(kinds)
    if kind == FORM and draw(st.booleans()):
        with contextlib.suppress(UnicodeEncodeError):
            text = urlencode({"payload": text})
    charset, declared = draw(charsets), draw(charsets)
    if draw(st.booleans()):
        declared = charset
    try:
        body = text.encode("utf-8" if charset in ("", "bogus") else charset)
    except UnicodeEncodeError:
        body = text.encode("utf-8", "surrogatepass")
    coding = draw(codings)
    for one in coding.split(", "):
        body = packed(body, one)
    if draw(st.integers(0, 9)) == 0:
        body = body[:-1]
    content_type = f"{kind}; charset={declared}" if declared else kind
    pairs = [(b"content-type", content_type.encode()), (b"content-encoding", coding.encode())]
    return Request([pair for pair in pairs if pair[1]], body)


def usable(value: object, most: int) -> str | None:
    """Return a value as the key or event that it makes."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    try:
        fits = 1 <= len(text.encode()) <= most
    except UnicodeEncodeError:
        return None
    clean = text.strip() and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    return text if fits and clean else None


# PARSE-1
@settings(max_examples=500, deadline=None)
@given(request=requests())
def test_the_key_and_the_event_are_those_that_the_handler_reads(request: Request) -> None:
    scheme = build("hmac", ["secret"], key="json:/id", event="json:/type")
    message = Message(1, "hooks", "k", "", request.fields(), request.body, 0.0)

    said: Any = None
    with contextlib.suppress(ValueError):
        said = message.json()
    try:
        event = scheme.read(request)
    except Malformed:
        assert said is None or request.body in (b"null", b"\xef\xbb\xbfnull")
        return

    document = said if isinstance(said, dict) else {}
    assert event == Event(usable(document.get("id"), 512), usable(document.get("type"), 128) or "")


# PARSE-1
@settings(max_examples=200, deadline=None)
@given(request=requests())
@pytest.mark.parametrize("name", ["github", "stripe", "slack"])
def test_what_a_scheme_that_needs_an_object_lets_in_is_an_object(
    name: str, request: Request
) -> None:
    message = Message(1, name, "k", "", request.fields(), request.body, 0.0)

    try:
        build(name, ["secret"]).read(request)
    except Malformed:
        return

    assert isinstance(message.json(), dict)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of the app is."""
    return tmp_path / "hooks.db"


def github_app(path: Path, **options: Any) -> App:
    """Return an app that routes by lane, read from the body."""
    app = App(str(path))
    app.source("github", scheme="github", secret=SECRET, **options)
    app.on("github", name="note", lane=lambda message: message.json()["repo"])(nothing)
    return app


PUSH = json.dumps({"action": "opened", "repo": "Zürich"})

BODIES = {
    "json": (PUSH.encode(), {}),
    "form": (urlencode({"payload": PUSH}).encode(), {"content-type": FORM}),
    "mark": (b"\xef\xbb\xbf" + PUSH.encode(), {}),
    "utf-16": (PUSH.encode("utf-16"), {}),
    "latin-1": (
        json.dumps(json.loads(PUSH), ensure_ascii=False).encode("latin-1"),
        {"content-type": "application/json; charset=latin-1"},
    ),
    "gzip": (packed(PUSH.encode(), "gzip"), {"content-encoding": "GZIP"}),
    "deflate": (zlib.compress(PUSH.encode()), {"content-encoding": "deflate"}),
    "gzip form": (
        gzip.compress(urlencode({"payload": PUSH}).encode()),
        {"content-encoding": "gzip", "content-type": FORM},
    ),
}


# PARSE-7
@pytest.mark.parametrize(("body", "headers"), BODIES.values(), ids=BODIES)
def test_receiver_lane_and_handler_read_the_same_and_the_bytes_stay_as_they_came(
    path: Path, body: bytes, headers: dict[str, str]
) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(body, {**github(body, event="issues"), **headers})

    with connect(str(path)) as store:
        (claim,) = store.queue("note").claim()
        (delivery,) = store.deliveries()
    assert answer.status == 200
    assert claim.message.event == "issues.opened"
    assert delivery.lane == "Zürich"
    assert claim.message.json() == json.loads(PUSH)
    assert claim.message.body == body


# PARSE-7
def test_the_signature_is_that_of_the_bytes_as_they_came(path: Path) -> None:
    body = packed(PUSH.encode(), "gzip")
    unpacked = "sha256=" + hex_hmac(SECRET, PUSH.encode())

    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(
            body, {**github(body), "x-hub-signature-256": unpacked, "content-encoding": "gzip"}
        )

    assert answer.status == 401
    assert stored(path) == 0


# PARSE-5
@pytest.mark.parametrize(
    ("size", "status"), [(1_000, 200), (1_001, 413), (50_000_000, 413)], ids=repr
)
def test_a_body_over_the_cap_once_decompressed_is_answered_413(
    path: Path, size: int, status: int
) -> None:
    document = b'{"repo": "x"}'
    body = gzip.compress(document + b" " * (size - len(document)))

    with Inbox(github_app(path, max_body=1_000 if size < 10_000 else 200_000)) as inbox:
        answer = inbox.post(body, {**github(body), "content-encoding": "gzip"})

    assert answer.status == status
    assert stored(path) == (status == 200)


# PARSE-4
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (packed(b"{}", "gzip")[:-3], "gzip"),
        (packed(b"{}", "gzip") + b"junk", "gzip"),
        (b"{}", "gzip"),
        (b"{}", "br"),
        (b"{}", "gzip, zstd"),
    ],
)
@pytest.mark.parametrize("source", ["github", "hooks"])
def test_a_body_that_no_handler_could_read_is_answered_400(
    path: Path, body: bytes, encoding: str, source: str
) -> None:
    app = github_app(path)
    app.source("hooks", scheme="hmac", secret=SECRET, key="json:/id")

    with Inbox(app) as inbox:
        headers = {**github(body), "x-signature": hex_hmac(SECRET, body)}
        answer = inbox.post(body, {**headers, "content-encoding": encoding}, path=f"/in/{source}")

    assert answer.status == 400
    assert stored(path) == 0


# PARSE-4
def test_what_is_compressed_in_a_way_unknown_here_is_kept_where_nothing_of_it_is_needed(
    path: Path,
) -> None:
    app = App(str(path))
    app.source("hooks", scheme="hmac", secret="s", key="body", event="header:x-kind")
    headers = {"x-signature": hex_hmac("s", b"\x8b\x00"), "content-encoding": "br"}

    with Inbox(app) as inbox:
        answer = inbox.post(b"\x8b\x00", headers, path="/in/hooks")
        called = inbox.post(
            b"\x8b\x00", {**headers, "content-type": "application/json"}, path="/in/hooks"
        )

    assert (answer.status, called.status) == (200, 400)


# PARSE-8
def test_a_header_that_came_twice_means_the_same_to_receiver_and_handler(path: Path) -> None:
    pairs = [(b"content-type", b"application/json"), (b"content-type", FORM.encode())]
    request = Request([*pairs, (b"x-many", b"a"), (b"x-many", b"b")], b'{"type": "paid"}')
    scheme = build(VENDORS["standard"].scheme, [VENDORS["standard"].secret])
    message = Message(1, "hooks", "k", "", request.fields(), request.body, 0.0)

    assert message.headers["x-many"] == "a, b"
    assert message.headers["content-type"] == f"application/json, {FORM}"
    assert not request.is_form()
    assert scheme.read(request) == Event(None, message.json()["type"])
