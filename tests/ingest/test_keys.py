"""The dedupe key is where the provider or the app says it is, and nowhere else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from fencepost import App, InvalidInput
from fencepost.schemes import build, key_rule
from fencepost.schemes.request import Event, Request
from fencepost.testing import signed

from .inbox import Inbox, github, github_app, nothing, stored
from .vectors import VENDORS, hex_hmac, request


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of the app is."""
    return tmp_path / "hooks.db"


def key_of(key: str, read: Request) -> str | None:
    """Return the key that a recipe finds in a request."""
    event = build("hmac", ["s"], key=key).read(read)
    assert isinstance(event, Event)
    return event.key


# KEY-2
@pytest.mark.parametrize("options", [{}, {"key": None}, {"event": "json:/id"}], ids=repr)
def test_a_source_without_a_declared_key_is_refused_with_the_choices(
    path: Path, options: Any
) -> None:
    app = App(path)

    with pytest.raises(InvalidInput) as refused:
        app.source("shop", scheme="hmac", secret="s", **options)

    said = str(refused.value)
    for choice in ("'shop'", 'key="header:NAME"', 'key="json:/', 'key="body"', "require_key=False"):
        assert choice in said
    assert app.sources == {}


# KEY-2
@pytest.mark.parametrize(
    "options",
    [{"key": "body"}, {"key": "json:/id"}, {"key": "header:X-Id"}, {"require_key": False}],
    ids=repr,
)
def test_each_choice_is_taken(path: Path, options: Any) -> None:
    app = App(path)

    app.source("shop", scheme="hmac", secret="s", **options)

    assert "shop" in app.sources


# KEY-2
def test_every_other_scheme_has_the_id_of_its_provider(path: Path) -> None:
    app = App(path)

    for name, vendor in VENDORS.items():
        if key_rule(build(vendor.scheme, [vendor.secret])) is not None:
            app.source(name, scheme=vendor.scheme, secret=vendor.secret)

    assert set(VENDORS) - set(app.sources) == {"hmac"}


# KEY-1
def test_one_event_sent_five_times_through_a_gateway_is_one_message(path: Path) -> None:
    body = b'{"id": 820982911946154508, "total": "10.00"}'
    app = App(path)
    app.source("shop", scheme="hmac", secret="s", key="body")
    app.on("shop", name="note")(nothing)

    with Inbox(app) as inbox:
        answers = [
            inbox.post(
                body,
                {"x-signature": hex_hmac("s", body), "x-request-id": f"gateway-{n}"},
                path="/in/shop",
            )
            for n in range(5)
        ]

    assert [answer.json()["status"] for answer in answers] == ["accepted"] + ["duplicate"] * 4
    assert stored(path) == 1


# KEY-1
def test_two_events_about_one_resource_are_two_messages(path: Path) -> None:
    bodies = [b'{"id": 5, "state": "open"}', b'{"id": 5, "state": "paid"}']
    app = App(path)
    app.source("shop", scheme="hmac", secret="s", key="body")
    app.source("keyless", scheme="hmac", secret="s", require_key=False)

    with Inbox(app) as inbox:
        answers = [
            inbox.post(body, {"x-signature": hex_hmac("s", body)}, path=f"/in/{source}")
            for source in ("shop", "keyless")
            for body in bodies
        ]

    assert [answer.json()["status"] for answer in answers] == ["accepted"] * 4
    assert stored(path) == 4


# KEY-3
@pytest.mark.parametrize("scheme", ["header:X-Id", "json:/id"])
@pytest.mark.parametrize("value", ["", " ", "\u2003", "\t"])
def test_an_empty_key_and_one_of_whitespace_are_none(scheme: str, value: str) -> None:
    body = json.dumps({"id": value}).encode()

    event = build("hmac", ["s"], key=scheme).read(request(body, {"X-Id": value.encode()}))

    assert event == Event(None, "")


# KEY-3
def test_a_key_header_that_stands_twice_is_none(path: Path) -> None:
    twice = Request([(b"x-github-delivery", b"d-1"), (b"x-github-delivery", b"d-2")], b"{}")

    assert build("github", ["s"]).read(twice) == Event(None, "")


# KEY-3
def test_the_answer_says_where_the_key_was_looked_for(path: Path) -> None:
    app = App(path)
    app.source("shop", scheme="hmac", secret="s", key="json:/order/id")
    app.source("stripe", scheme="stripe", secret="s")

    shop = app.accept("shop", *signed("hmac", body={}, secret="s", options={"key": "body"}))
    stripe = app.accept("stripe", *signed("stripe", body=b"{}", secret="s"))
    app.close()

    assert (shop.status, stripe.status) == (400, 400)
    assert b"reads it at json:/order/id" in shop.body
    assert b"reads it at json:/id" in stripe.body


# KEY-3
@pytest.mark.parametrize("key", [None, " ", "   "])
def test_github_without_a_delivery_id_is_answered_400(path: Path, key: str | None) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b'{"id": 7}', {**github(b'{"id": 7}', key=key), "x-request-id": "r"})

    assert answer.status == 400
    assert stored(path) == 0


# KEY-3
@pytest.mark.parametrize(
    ("number", "key"),
    [
        ("1", "1"),
        ('"1"', "1"),
        ("-0", "0"),
        ("1.0", None),
        ("1e2", None),
        ("true", None),
        ("false", None),
        ("NaN", None),
        ("9" * 512, "9" * 512),
        ("9" * 513, None),
    ],
)
def test_a_whole_number_is_the_key_of_its_digits(number: str, key: str | None) -> None:
    body = f'{{"id": {number}}}'.encode()

    assert build("hmac", ["s"], key="json:/id").read(request(body, {})) == Event(key, "")


# KEY-3
def test_a_key_in_a_form_is_found_as_in_json() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    payload = urlencode({"payload": '{"order": {"id": 5}}'}).encode()

    assert key_of("json:/order/id", request(payload, form)) == "5"
    assert key_of("json:/order_id", request(b"order_id=5&x=1", form)) == "5"
    assert key_of("json:/order_id", request(b"order_id=5&order_id=6", form)) is None


# KEY-5
def test_the_same_body_compressed_anew_is_the_same_key() -> None:
    packed = {"Content-Encoding": "gzip"}

    keys = {
        key_of("body", request(gzip.compress(b"same", mtime=mtime), packed)) for mtime in (1, 2)
    }

    assert keys == {key_of("body", request(b"same", {}))}


# KEY-6
def test_options_are_known_to_type_checkers_and_misspelt_ones_are_refused(path: Path) -> None:
    """Where mypy did not know them, it would find the comments below unused."""
    app = App(path)

    with pytest.raises(InvalidInput, match="no option kye; it takes algorithm, encoding, event"):
        app.source("a", scheme="hmac", secret="s", key="body", kye="x")  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match=r"like every source .* Did you mean max_body\?"):
        app.source("a", scheme="github", secret="s", max_bdy=5)  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="encoding is one of base64, hex"):
        app.source("b", scheme="hmac", secret="s", key="body", encoding="b64")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no scheme 'gitlab'"):
        app.source("c", scheme="gitlab", secret="s")  # type: ignore[arg-type]
