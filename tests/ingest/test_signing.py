"""A request that is signed here is what its provider would send, and is read as it was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
import standardwebhooks
import stripe
from slack_sdk.signature import SignatureVerifier

from fencepost import App, InvalidInput
from fencepost.ingest.headers import pairs
from fencepost.ingest.signing import Signed, handled_event, signed
from fencepost.schemes.request import Event, Request, Verdict

from .inbox import nothing
from .vectors import NOW, WHPK, WHSEC, hex_hmac

app = App("hooks.db")
app.source("github", scheme="github", secrets=["new", "old"])
app.source("stripe", scheme="stripe", secret="whsec_x")
app.source("slack", scheme="slack", secret="s")
app.source("standard", scheme="standard", secrets=[WHPK, WHSEC])
app.source("body", scheme="hmac", secret="s", key="body")
app.source("places", scheme="hmac", secret="s", key="json:/data/id", event="json:/kind")
app.source("heads", scheme="hmac", secret="s", key="header:X-Id", event="header:X-Kind")
app.source(
    "spelled",
    scheme="hmac",
    secret="s",
    key="header:X-Id",
    header="X-Shop-Hmac",
    encoding="base64",
    prefix="v1=",
    algorithm="sha512",
)
app.source("keyless", scheme="hmac", secret="s", require_key=False)
app.source("hashed", scheme="github", secret="s", key="body")
app.source("moved", scheme="github", secret="s", key="json:/after", event="json:/ref")

KEYED = sorted(set(app.sources) - {"body", "hashed", "keyless"})


def read(source: str, sent: Signed, now: float) -> Event:
    """Return what the receiver reads, having found it genuine."""
    request = Request(pairs(sent.headers), sent.body)
    assert app.sources[source].scheme.verify(request, now) is Verdict.GENUINE
    event = app.sources[source].read(request)
    assert isinstance(event, Event)
    return event


# SEND-1
@pytest.mark.parametrize("source", app.sources)
def test_what_is_made_up_is_genuine_and_new_each_time(source: str) -> None:
    declared = app.sources[source]

    events = [read(source, signed(declared, at=NOW), NOW) for _ in range(2)]

    assert events[0].event == events[1].event == declared.scheme.example
    if source == "keyless":
        assert events[0].key is None
    else:
        assert events[0].key != events[1].key
        assert None not in {event.key for event in events}


# SEND-6
@pytest.mark.parametrize("source", KEYED)
def test_a_key_that_is_sent_again_comes_with_the_same_body(source: str) -> None:
    declared = app.sources[source]

    first, later = (signed(declared, key="k", at=NOW + after) for after in (0, 60))
    other = signed(declared, key="other", at=NOW)

    assert first.body == later.body
    assert read(source, later, NOW + 60).key == "k"
    assert (other.headers, other.body) != (first.headers, first.body)


# SEND-1
@pytest.mark.parametrize("source", KEYED)
@pytest.mark.parametrize("key", ["k-1", "1", "Zürich"])
@pytest.mark.parametrize("event", ["paid", "issues.opened"])
def test_event_and_key_are_put_where_the_source_reads_them(
    source: str, key: str, event: str
) -> None:
    wanted = None if source == "github" and not key.isascii() else key

    found = read(source, signed(app.sources[source], event=event, key=key, at=NOW), NOW)

    assert (found.key, found.event) == (wanted, event)


# SEND-1
@pytest.mark.parametrize("source", KEYED)
def test_a_body_that_is_given_is_sent_with_the_event_and_the_key_in_it(source: str) -> None:
    body = {"data": {"n": 1}, "name": "Zürich"}

    sent = signed(app.sources[source], event="paid", key="k-1", body=body, at=NOW)

    assert read(source, sent, NOW) == Event("k-1", "paid")
    assert json.loads(sent.body)["data"]["n"] == 1
    assert json.loads(sent.body)["name"] == "Zürich"


# SEND-1
@pytest.mark.parametrize("source", app.sources)
@pytest.mark.parametrize("body", [b'{"a":  1}', '{"a":  1}', b"plain", b""])
def test_bytes_and_text_are_sent_as_they_are(source: str, body: bytes | str) -> None:
    sent = signed(app.sources[source], body=body, at=NOW)

    assert sent.body == (body.encode() if isinstance(body, str) else body)
    assert sent.headers["content-type"] == (
        "text/plain" if "p" in str(body) else "application/json"
    )


# SEND-1
def test_bytes_that_say_it_already_are_not_written_anew() -> None:
    body = b'{ "id":"evt_1","type" :"paid" }'

    assert signed(app.sources["stripe"], body=body, event="paid", key="evt_1").body == body
    assert signed(app.sources["stripe"], body=body, key="evt_2").body != body


# SEND-1
@pytest.mark.parametrize(
    ("event", "key", "document"),
    [
        ("command:/deploy", "t.1", {"command": "/deploy", "trigger_id": "t.1"}),
        ("view_closed", "t.2", {"type": "view_closed", "trigger_id": "t.2"}),
        ("app_mention", "Ev1", {"type": "event_callback", "event_id": "Ev1"}),
    ],
)
def test_slack_sends_forms_and_events(event: str, key: str, document: dict[str, Any]) -> None:
    sent = signed(app.sources["slack"], event=event, key=key, at=NOW)

    found = read("slack", sent, NOW)
    said = Request(pairs(sent.headers), sent.body).json()
    assert (found.key, found.event) == (key, event)
    assert found.silent is (event != "app_mention")
    assert {name: said[name] for name in document} == document


# SEND-1
def test_the_providers_libraries_accept_what_is_signed_here() -> None:
    sent = {name: signed(app.sources[name]) for name in ("stripe", "slack", "standard")}

    stripe.WebhookSignature.verify_header(
        sent["stripe"].body.decode(), sent["stripe"].headers["stripe-signature"], "whsec_x", 300
    )
    assert SignatureVerifier("s").is_valid_request(sent["slack"].body, sent["slack"].headers)
    standardwebhooks.Webhook(WHSEC).verify(sent["standard"].body, sent["standard"].headers)


# SEND-1
def test_the_newest_secret_signs() -> None:
    sent = signed(app.sources["github"])

    assert sent.headers["x-hub-signature-256"] == "sha256=" + hex_hmac("new", sent.body)
    assert sent.headers["X-Hub-Signature-256"] == sent.headers["x-hub-signature-256"]


# SEND-1
def test_headers_that_are_given_replace_those_that_would_be_made() -> None:
    mine = {"X-GitHub-Delivery": "d-1", "Content-Type": "application/x-www-form-urlencoded"}
    svix = signed(app.sources["standard"], headers={"svix-id": "msg_7"}, at=NOW)

    sent = signed(app.sources["github"], event="issues.opened", headers=mine, at=NOW)

    assert read("github", sent, NOW) == Event("d-1", "issues.opened")
    assert sent.body.startswith(b"payload=%7B")
    assert read("standard", svix, NOW).key == "msg_7"
    assert "webhook-id" not in svix.headers


# SEND-2
@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("body", {"key": "k"}, "hash of the body"),
        ("keyless", {"key": "k"}, "has no key"),
        ("stripe", {"key": "k", "body": b"plain"}, "no place for 'k' at /id"),
        ("stripe", {"key": "k", "body": [1]}, "no place for 'k' at /id"),
        ("places", {"key": "k", "body": {"data": [1]}}, "no place for 'k' at /data/id"),
        ("github", {"key": "a\nb"}, "cannot be the value of header"),
        ("heads", {"key": "\ud800"}, "not valid Unicode"),
        ("github", {"body": {"a": object()}}, "a body must be bytes, str or JSON"),
        (
            "stripe",
            {"key": "k", "body": b"x", "headers": {"content-encoding": "gzip"}},
            "no place",
        ),
    ],
)
def test_what_cannot_be_sent_as_asked_is_refused(
    source: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        signed(app.sources[source], **options)


# SEND-2
def test_a_public_key_alone_cannot_sign() -> None:
    asymmetric = App("hooks.db")
    asymmetric.source("them", scheme="standard", secret=WHPK)

    with pytest.raises(InvalidInput, match="source 'them': a public key can check signatures"):
        signed(asymmetric.sources["them"])


# SEND-3
@pytest.mark.parametrize(
    ("patterns", "event"),
    [
        ([], None),
        (["*"], None),
        (["*", "push"], "push"),
        (["pull_request.*"], "pull_request.created"),
        (["[pq]ush", "p?sh"], None),
    ],
)
def test_the_event_to_send_is_one_that_a_handler_is_for(
    patterns: list[str], event: str | None
) -> None:
    routed = App("hooks.db")
    routed.source("github", scheme="github", secret="s")
    for n, pattern in enumerate(patterns):
        routed.on("github", pattern, name=f"h{n}")(nothing)

    assert handled_event(routed, "github") == event
    assert handled_event(routed, "other") is None
