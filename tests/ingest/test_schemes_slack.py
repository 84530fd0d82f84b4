"""The rules of Slack beyond those that every provider shares."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlencode

import pytest

from fencepost.schemes import build
from fencepost.schemes.request import Event, Handshake, Malformed, Verdict

from .vectors import NOW, hex_hmac, request

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

slack = build("slack", ["secret"])


def read_json(body: object) -> Event | Handshake:
    return slack.read(request(json.dumps(body).encode(), {"Content-Type": "application/json"}))


def read_form(**fields: str) -> Event | Handshake:
    return slack.read(request(urlencode(fields).encode(), FORM))


@pytest.mark.parametrize("challenge", ["3eZbrw1aB10FEMAGZd4FyFQ", 'quote " and é', ""])
def test_a_url_verification_is_answered_with_its_challenge(challenge: str) -> None:
    answer = read_json({"type": "url_verification", "challenge": challenge, "token": "x"})

    assert isinstance(answer, Handshake)
    assert json.loads(answer.body) == {"challenge": challenge}
    assert answer.content_type == b"application/json"


@pytest.mark.parametrize("challenge", [None, 5, ["x"]])
def test_a_url_verification_without_a_text_to_repeat_is_malformed(challenge: object) -> None:
    with pytest.raises(Malformed, match="challenge"):
        read_json({"type": "url_verification", "challenge": challenge})


def test_a_rate_limit_notice_is_answered_and_not_stored() -> None:
    assert read_json({"type": "app_rate_limited", "team_id": "T1"}) == Handshake(b"")


def test_recipes_do_not_turn_a_handshake_into_a_message() -> None:
    scheme = build("slack", ["secret"], key="body", event="json:/type")

    answer = scheme.read(request(b'{"type": "app_rate_limited"}', {}))

    assert answer == Handshake(b"")


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ({"event_id": "Ev1", "event": {"type": "app_mention"}}, Event("Ev1", "app_mention")),
        ({"event_id": "Ev1", "event": {"type": 5}}, Event("Ev1", "")),
        ({"event_id": "Ev1", "event": "app_mention"}, Event("Ev1", "")),
        ({"event_id": 1}, Event(None, "")),
        ({"type": ["url_verification"]}, Event(None, "")),
    ],
)
def test_the_key_is_the_event_id_and_the_event_the_inner_type(body: object, event: Event) -> None:
    assert read_json(body) == event


def test_a_command_is_named_by_its_text_and_wants_an_empty_answer() -> None:
    event = read_form(command="/deploy", text="a & b=c", trigger_id="13345224609.738474920")

    assert event == Event("13345224609.738474920", "command:/deploy", silent=True)


def test_an_interaction_is_read_from_its_payload() -> None:
    payload = json.dumps({"type": "block_actions", "trigger_id": "12466734323.1395872398"})

    event = read_form(payload=payload)

    assert event == Event("12466734323.1395872398", "block_actions", silent=True)


# KEY-4
def test_an_interaction_without_a_trigger_has_its_bodys_hash_as_its_key() -> None:
    payload = json.dumps({"type": "view_closed", "view": {"id": "V1", "hash": "1.x"}})

    event = read_form(payload=payload)

    hashed = hashlib.sha256(urlencode({"payload": payload}).encode()).hexdigest()
    assert event == Event(hashed, "view_closed", silent=True)


# KEY-4
def test_a_form_that_names_nothing_has_no_key() -> None:
    assert read_form(text="x") == Event(None, "", silent=True)


@pytest.mark.parametrize(
    "body", [b"payload=%7B", b"payload=[]", b"\xff", b"&" * 1_000, b"command=%FF"]
)
def test_a_form_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        slack.read(request(body, FORM))


def test_recipes_keep_the_empty_answer() -> None:
    scheme = build("slack", ["secret"], key="header:X-Id")

    event = scheme.read(request(b"command=%2Fdeploy", {**FORM, "X-Id": "7"}))

    assert event == Event("7", "command:/deploy", silent=True)


@pytest.mark.parametrize("body", [b"ssl_check=1", b"token=abc&ssl_check=1"])
def test_a_certificate_check_is_answered_unsigned(body: bytes) -> None:
    unsigned = request(body, FORM)

    assert slack.early(unsigned) == Handshake(b"", b"text/plain")
    assert slack.verify(unsigned, NOW) is Verdict.MISSING


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"ssl_check=1", {}),
        (b"ssl_check=1", {"Content-Type": "application/json"}),
        (b"ssl_check=0", FORM),
        (b"ssl_check=11", FORM),
        (b"text=ssl_check%3D1%26ssl_check%3D1", FORM),
        (b"xssl_check=1", FORM),
    ],
)
def test_nothing_else_is_answered_unsigned(body: bytes, headers: dict[str, str]) -> None:
    assert slack.early(request(body, headers)) is None


@pytest.mark.parametrize("spelled", [f"+{NOW}", f" {NOW}", "1_795_000_000", f"{NOW}.9", "9" * 13])
def test_a_signed_timestamp_in_another_spelling_is_malformed(spelled: str) -> None:
    signature = "v0=" + hex_hmac("secret", f"v0:{spelled}:{{}}".encode())
    headers = {"X-Slack-Request-Timestamp": spelled, "X-Slack-Signature": signature}

    assert slack.verify(request(b"{}", headers), NOW) is Verdict.MALFORMED
