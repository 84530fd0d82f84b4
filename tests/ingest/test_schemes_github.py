"""The rules of GitHub beyond those that every provider shares."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from fencepost.schemes import build
from fencepost.schemes.request import Event, Malformed, Verdict

from .vectors import NOW, hex_hmac, request

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

github = build("github", ["secret"])


def test_the_documented_github_example_is_genuine() -> None:
    """Source: docs.github.com, Testing the webhook payload validation."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    documented = request(b"Hello, World!", {"X-Hub-Signature-256": signature})

    verdict = build("github", ["It's a Secret to Everybody"]).verify(documented, NOW)

    assert verdict is Verdict.GENUINE


def test_a_github_sha1_signature_alone_is_not_accepted() -> None:
    signed = request(b"{}", {"X-Hub-Signature": "sha1=5d61605c3feea9799210ddcb71307d4ba264225f"})

    assert github.verify(signed, NOW) is Verdict.MISSING


def test_hex_in_one_case_is_read_and_in_two_is_not() -> None:
    digest = hex_hmac("secret", b"{}")
    mixed = digest[:32] + digest[32:].upper()

    def verdict(value: str) -> Verdict:
        return github.verify(request(b"{}", {"X-Hub-Signature-256": f"sha256={value}"}), NOW)

    assert verdict(digest) is Verdict.GENUINE
    assert verdict(digest.upper()) is Verdict.GENUINE
    assert verdict(mixed) is Verdict.MALFORMED


@pytest.mark.parametrize(
    ("headers", "body", "event"),
    [
        ({"X-GitHub-Event": "push"}, {}, "push"),
        ({"X-GitHub-Event": "issues"}, {"action": "opened"}, "issues.opened"),
        ({"X-GitHub-Event": "issues"}, {"action": 5}, "issues"),
        ({"X-GitHub-Event": "issues"}, {"action": ""}, "issues"),
        ({"X-GitHub-Event": "issues"}, {"issue": {"action": "opened"}}, "issues"),
        ({"X-GitHub-Event": "issues"}, {"action": "x" * 122}, ""),
        ({"X-GitHub-Event": b"\xff"}, {"action": "opened"}, ""),
        ({}, {"action": "opened"}, ""),
    ],
)
def test_a_github_event_is_its_header_and_the_action(
    headers: dict[str, str | bytes], body: object, event: str
) -> None:
    assert github.read(request(json.dumps(body).encode(), headers)) == Event(None, event)


@pytest.mark.parametrize(
    ("delivery", "key"),
    [
        (b"72d3162e-cc78", "72d3162e-cc78"),
        (b"d" * 512, "d" * 512),
        (b"d" * 513, None),
        (b"", None),
        (b"caf\xc3\xa9", None),
        (b"a\x00b", None),
        (b"a\n", None),
    ],
)
def test_a_github_key_is_a_printable_delivery_header(delivery: bytes, key: str | None) -> None:
    assert github.read(request(b"{}", {"X-GitHub-Delivery": delivery})) == Event(key, "")


def test_a_github_form_is_read_from_its_payload() -> None:
    body = urlencode({"payload": json.dumps({"action": "opened"})}).encode()

    event = github.read(request(body, {**FORM, "X-GitHub-Event": "issues"}))

    assert event == Event(None, "issues.opened")


@pytest.mark.parametrize(
    "body", [b"", b"other=1", b"payload=%7B", b"payload={}&payload={}", b"payload=%FF", b"\xff"]
)
def test_a_github_form_without_one_readable_payload_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        github.read(request(body, FORM))
