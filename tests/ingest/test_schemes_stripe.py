"""The rules of Stripe beyond those that every provider shares."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest

from fencepost.schemes import build
from fencepost.schemes.request import Event, Malformed, Verdict

from .vectors import NOW, hex_hmac, request

stripe = build("stripe", ["secret"])


def stripe_header(*items: str) -> dict[str, str]:
    return {"Stripe-Signature": ",".join(items)}


RIGHT = "v1=" + hex_hmac("secret", f"{NOW}.{{}}".encode())
WRONG = "v1=" + hex_hmac("another", f"{NOW}.{{}}".encode())


@pytest.mark.parametrize(
    ("items", "verdict"),
    [
        ((f"t={NOW}", RIGHT), Verdict.GENUINE),
        ((RIGHT, f"t={NOW}"), Verdict.GENUINE),
        ((f"t={NOW}", WRONG, "v9=x", "v1=zz", "", RIGHT), Verdict.GENUINE),
        ((f"t={NOW}", WRONG), Verdict.MISMATCH),
        ((f"t={NOW}", RIGHT.replace("v1", "v0")), Verdict.MALFORMED),
        ((f"t={NOW}", " " + RIGHT), Verdict.MALFORMED),
        ((f"t={NOW}", RIGHT + "=x"), Verdict.MALFORMED),
        ((f"t={NOW}", f"t={NOW}", RIGHT), Verdict.MALFORMED),
        ((RIGHT,), Verdict.MALFORMED),
    ],
)
def test_one_right_v1_among_the_items_of_stripe_is_enough(
    items: tuple[str, ...], verdict: Verdict
) -> None:
    assert stripe.verify(request(b"{}", stripe_header(*items)), NOW) is verdict


@pytest.mark.parametrize(
    "spelled", [f"+{NOW}", f" {NOW}", f"{NOW} ", "1_795_000_000", f"{NOW}.9", "٤", "9" * 13, ""]
)
def test_a_signed_stripe_timestamp_in_another_spelling_is_malformed(spelled: str) -> None:
    signature = "v1=" + hex_hmac("secret", f"{spelled}.{{}}".encode())

    verdict = stripe.verify(request(b"{}", stripe_header(f"t={spelled}", signature)), NOW)

    assert verdict is Verdict.MALFORMED


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ({"id": "evt_1", "type": "invoice.paid"}, Event("evt_1", "invoice.paid")),
        ({"id": 1, "type": ["x"]}, Event(None, "")),
        ({"id": "e" * 513, "type": "e" * 129}, Event(None, "")),
        ({"id": "e" * 512, "type": "e" * 128}, Event("e" * 512, "e" * 128)),
        ({"id": "é" * 257, "type": "é" * 65}, Event(None, "")),
        ({"id": "a\x00", "type": "a\x85"}, Event(None, "")),
        ({"id": "", "type": ""}, Event(None, "")),
        ({}, Event(None, "")),
    ],
)
def test_a_stripe_key_and_event_stand_in_the_body(body: object, event: Event) -> None:
    text = json.dumps(body, ensure_ascii=False).encode()

    assert stripe.read(request(text, {})) == event


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b"", quote_plus("{}").encode()])
def test_a_stripe_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        stripe.read(request(body, {}))
