"""Senders that sign the body alone, and the recipes for their keys."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from fencepost.schemes import build
from fencepost.schemes.naming import named
from fencepost.schemes.request import Event, Malformed, Verdict

from .vectors import NOW, request

JSON = {"Content-Type": "application/json"}

scheme = build("hmac", ["secret"])


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "sha=", "v1,"])
def test_a_signature_is_read_as_the_options_say(algorithm: str, encoding: str, prefix: str) -> None:
    digest = hmac.digest(b"secret", b"body", algorithm)
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    signer = build(
        "hmac",
        ["secret"],
        header="X-My-Sign",
        encoding=encoding,
        algorithm=algorithm,
        prefix=prefix,
    )

    def verdict(value: str, body: bytes = b"body") -> Verdict:
        return signer.verify(request(body, {"x-my-sign": value}), NOW)

    assert verdict(prefix + text) is Verdict.GENUINE
    assert verdict(prefix + text, b"bodY") is Verdict.MISMATCH
    assert verdict(prefix + text[:-4]) is Verdict.MALFORMED
    assert verdict("x" + prefix + text) is Verdict.MALFORMED
    assert verdict(prefix + text + "=") is Verdict.MALFORMED


# KEY-1
def test_without_a_recipe_nothing_that_looks_like_an_id_is_the_key() -> None:
    names = [
        "webhook-id",
        "x-webhook-id",
        "x-event-id",
        "x-delivery-id",
        "x-request-id",
        "idempotency-key",
    ]

    assert scheme.read(request(b'{"id": 7}', dict.fromkeys(names, "e-1"))) == Event(None, "")


def test_the_first_known_header_is_the_event_before_the_body() -> None:
    names = ["x-event-type", "x-webhook-event", "x-event"]
    body = b'{"type": "t", "event": "e"}'

    for first, name in enumerate(names):
        headers = {later: later for later in reversed(names[first:])}

        assert scheme.read(request(body, headers)) == Event(None, name)
    assert scheme.read(request(body, {})) == Event(None, "t")
    assert scheme.read(request(b'{"type": {}, "event": "e"}', {})) == Event(None, "e")


@pytest.mark.parametrize("body", [b"", b"plain", b"\xff", b'{"id": 1'])
def test_a_body_that_does_not_parse_is_malformed_when_it_is_called_json(body: bytes) -> None:
    assert scheme.read(request(body, {})) == Event(None, "")
    with pytest.raises(Malformed):
        scheme.read(request(body, JSON))


DOCUMENT = rb"""{
  "id": "top", "n": -12, "big": 123456789012345678901234567890, "float": 1.5, "yes": true,
  "null": null, "": {"": "empty"}, "a/b": "slash", "m~n": "tilde", "~1": "both",
  "list": ["zero", {"id": 1}], "0": "name", "\u00e9": "accent", "half": "\u0001"
}"""


@pytest.mark.parametrize(
    ("pointer", "key"),
    [
        ("/id", "top"),
        ("/n", "-12"),
        ("/big", "123456789012345678901234567890"),
        ("/float", None),
        ("/yes", None),
        ("/null", None),
        ("/list", None),
        ("/missing", None),
        ("//", "empty"),
        ("/a~1b", "slash"),
        ("/m~0n", "tilde"),
        ("/~01", "both"),
        ("/list/0", "zero"),
        ("/list/1/id", "1"),
        ("/list/2", None),
        ("/list/00", None),
        ("/list/-", None),
        ("/list/" + "9" * 5_000, None),
        ("/list/id", None),
        ("/0", "name"),
        ("/é", "accent"),
        ("/id/0", None),
        ("/half", None),
    ],
)
def test_a_json_pointer_finds_a_string_or_a_whole_number(pointer: str, key: str | None) -> None:
    pointed = build("hmac", ["secret"], key="json:" + pointer)

    assert pointed.read(request(DOCUMENT, JSON)) == Event(key, "")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (r"\ud83d", None),
        (r"\uDC00x", None),
        (r"a\ud83d\n\ude00", None),
        (r"\ud83d\ud83d\ude00", None),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
    ],
)
def test_half_a_surrogate_pair_spoils_the_key_it_is_in_and_nothing_else(
    text: str, key: str | None
) -> None:
    body = f'{{"title": "cut \\ud83d", "id": "{text}", "type": "paid"}}'.encode()
    pointed = build("hmac", ["secret"], key="json:/id")

    assert pointed.read(request(body, JSON)) == Event(key, "paid")


def test_a_key_that_cannot_be_encoded_is_none() -> None:
    assert named("k\ud800", "e\udfff") == Event(None, "")


def test_a_json_pointer_in_what_is_no_json_finds_nothing() -> None:
    pointed = build("hmac", ["secret"], key="json:/id", event="json:/type")

    assert pointed.read(request(b"[" * 200_000, {})) == Event(None, "")
    assert pointed.read(request(b"id=1", {})) == Event(None, "")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("é".encode(), "é"),
        (b"\xff", None),
        (b"", None),
        (b"a\x7f", None),
        ("a\x9f".encode(), None),
        (b"k" * 512, "k" * 512),
        (b"k" * 513, None),
    ],
)
def test_a_header_recipe_reads_utf8_of_at_most_512_bytes(value: bytes, key: str | None) -> None:
    headed = build("hmac", ["secret"], key="header:X-Trace-Id")

    assert headed.read(request(b"", {"x-trace-id": value})) == Event(key, "")


def test_the_body_recipe_is_the_sha256_of_the_body() -> None:
    hashed = build("hmac", ["secret"], key="body")

    event = hashed.read(request(b"anything \xff", {}))

    assert event == Event(hashlib.sha256(b"anything \xff").hexdigest(), "")
