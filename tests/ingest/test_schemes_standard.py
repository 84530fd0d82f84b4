"""The rules of Standard Webhooks beyond those that every provider shares."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from fencepost.schemes import build
from fencepost.schemes.ed25519 import MOST_SIGNATURES
from fencepost.schemes.request import Event, Malformed, Request, Verdict

from .vectors import NOW, OTHER_WHSEC, VENDORS, WHPK, WHSEC, replaced, request

JSON = {"Content-Type": "application/json"}

standard = build("standard", [WHSEC])
vendor = VENDORS["standard"]


def signature(request: Request) -> bytes:
    value = request.header(b"webhook-signature")
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("form", "verdict"),
    [
        ("{right}", Verdict.GENUINE),
        ("{wrong} {right}", Verdict.GENUINE),
        ("v1,junk v1 , v2,AAAA v1a,AAAA  {right} x", Verdict.GENUINE),
        ("{wrong}", Verdict.MISMATCH),
        ("v2{right}", Verdict.MALFORMED),
        ("V1,{bare}", Verdict.MALFORMED),
        ("v1,{bare}=", Verdict.MALFORMED),
        ("v1,{bare}!", Verdict.MALFORMED),
        ("v1,{unpadded}", Verdict.MALFORMED),
        ("v1a,{bare}", Verdict.MALFORMED),
        ("v2,{bare}", Verdict.MALFORMED),
    ],
)
def test_one_right_signature_in_the_list_is_enough(form: str, verdict: Verdict) -> None:
    genuine = vendor.request()
    right = signature(genuine).decode()
    wrong = signature(vendor.request(secret=OTHER_WHSEC)).decode()
    bare = right.removeprefix("v1,")
    value = form.format(right=right, wrong=wrong, bare=bare, unpadded=bare.rstrip("="))

    assert standard.verify(replaced(genuine, "webhook-signature", value.encode()), NOW) is verdict


def test_spare_bits_of_base64_do_not_make_a_second_spelling() -> None:
    genuine = vendor.request()
    right = signature(genuine)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = letters.index(right[-2:-1])
    respelled = right[:-2] + letters[last + 1 : last + 2] + b"="

    assert base64.b64decode(respelled[3:]) == base64.b64decode(right[3:])
    assert (
        standard.verify(replaced(genuine, "webhook-signature", respelled), NOW) is Verdict.MALFORMED
    )


def test_a_v1_signature_is_no_proof_under_a_public_key() -> None:
    assert build("standard", [WHPK]).verify(vendor.request(), NOW) is Verdict.MISMATCH


def test_only_the_first_ed25519_signatures_are_tried() -> None:
    genuine = VENDORS["ed25519"].request()
    scheme = build("standard", [WHPK])
    junk = b"v1a," + base64.b64encode(bytes(64))

    def after(count: int) -> Verdict:
        value = b" ".join([junk] * count + [signature(genuine)])
        return scheme.verify(replaced(genuine, "webhook-signature", value), NOW)

    assert after(MOST_SIGNATURES - 1) is Verdict.GENUINE
    assert after(MOST_SIGNATURES) is Verdict.MISMATCH


def test_with_two_complete_families_the_webhook_headers_count() -> None:
    genuine = VENDORS["svix"].request()
    forged = [(b"webhook-id", b"x"), (b"webhook-timestamp", b"1"), (b"webhook-signature", b"v1,A")]
    both = Request([*genuine.headers, *forged], genuine.body)
    partial = Request([*genuine.headers, *forged[:2]], genuine.body)

    assert standard.verify(both, NOW) is Verdict.MALFORMED
    assert standard.read(both) == Event("x", "user.created")
    assert standard.verify(partial, NOW) is Verdict.GENUINE
    assert standard.read(partial) == Event("msg_1", "user.created")


def test_half_of_each_family_is_missing_headers() -> None:
    genuine = VENDORS["svix"].request()
    mixed = [(name.replace(b"svix-id", b"webhook-id"), value) for name, value in genuine.headers]

    assert standard.verify(Request(mixed, genuine.body), NOW) is Verdict.MISSING


@pytest.mark.parametrize("spelled", [f"+{NOW}", f" {NOW}", "1_795_000_000", f"{NOW}.9", "9" * 13])
def test_a_signed_timestamp_in_another_spelling_is_malformed(spelled: str) -> None:
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    digest = hmac.digest(key, f"msg_1.{spelled}.{{}}".encode(), hashlib.sha256)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": spelled,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }

    assert standard.verify(request(b"{}", headers), NOW) is Verdict.MALFORMED


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"type": "user.created"}', "user.created"),
        (b'{"type": 5}', ""),
        (b"{}", ""),
        (b"[1]", ""),
        (b'"type"', ""),
    ],
)
def test_the_event_is_the_type_of_a_json_object(body: bytes, event: str) -> None:
    headers = {**VENDORS["standard"].sign(WHSEC, "", NOW), **JSON}

    assert standard.read(request(body, headers)) == Event("msg_1", event)


@pytest.mark.parametrize("body", [b"", b"plain text", b"\xff", b"<xml/>"])
def test_a_body_that_does_not_parse_is_malformed_when_it_is_called_json(body: bytes) -> None:
    headers = VENDORS["standard"].sign(WHSEC, "", NOW)

    assert standard.read(request(body, headers)) == Event("msg_1", "")
    with pytest.raises(Malformed):
        standard.read(request(body, {**headers, **JSON}))
    with pytest.raises(Malformed):
        standard.read(request(body, {**headers, "Content-Type": "application/cloudevents+json"}))
