"""On well-formed requests our verdict is that of the provider's own library."""

from __future__ import annotations

import datetime as real
import time
from types import SimpleNamespace
from unittest import mock

import standardwebhooks.webhooks
import stripe
import stripe._webhook
import svix.webhooks
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from fencepost.schemes import build
from fencepost.schemes.request import Verdict

from .vectors import NOW, OTHER_WHSEC, VENDORS, WHSEC, Headers, request

EDGES = [-301, -300.5, -300, -299.5, -299, 0, 299, 299.5, 300, 300.5, 301, 86_400]
offsets = st.sampled_from(EDGES) | st.integers(-700, 700)
bodies = st.text(st.characters(codec="utf-8"), max_size=80)
signers = st.lists(st.booleans(), min_size=1, max_size=3)
many = settings(max_examples=150, deadline=None)


def accepted(scheme: str, secret: str, body: str, headers: Headers, now: float) -> bool:
    verdict = build(scheme, [secret]).verify(request(body.encode(), headers), now)
    return verdict is Verdict.GENUINE


@many
@given(body=bodies, offset=offsets, right=signers, tolerance=st.sampled_from([1, 60, 300]))
def test_stripe_accepts_what_its_library_accepts(
    body: str, offset: float, right: list[bool], tolerance: int
) -> None:
    vendor, now = VENDORS["stripe"], NOW + offset
    signed = [
        vendor.sign(vendor.secret if one else vendor.other_secret, body, NOW)["Stripe-Signature"]
        for one in right
    ]
    items = [item for header in signed for item in header.split(",") if item.startswith("v1=")]
    header = ",".join([f"t={NOW}", "v0=00", *items, "v2=x"])

    with mock.patch.object(stripe._webhook, "time", SimpleNamespace(time=lambda: now)):
        try:
            stripe.WebhookSignature.verify_header(body, header, vendor.secret, tolerance)
            theirs = True
        except stripe.SignatureVerificationError:
            theirs = False
    verdict = build("stripe", [vendor.secret], tolerance=tolerance).verify(
        request(body.encode(), {"Stripe-Signature": header}), now
    )

    assert (verdict is Verdict.GENUINE) is theirs


class At(Clock):
    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


@many
@given(body=bodies, offset=offsets, right=st.booleans())
def test_slack_accepts_what_its_library_accepts(body: str, offset: float, right: bool) -> None:
    vendor, now = VENDORS["slack"], NOW + offset
    headers = vendor.sign(vendor.secret if right else vendor.other_secret, body, NOW)

    theirs = SignatureVerifier(vendor.secret, At(now)).is_valid_request(body, headers)
    ours = accepted("slack", vendor.secret, body, headers, now)

    assert ours is theirs


def stopped_at(now: float) -> type[real.datetime]:
    class Stopped(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Stopped:
            return cls.fromtimestamp(now, tz)

    return Stopped


@many
@given(body=bodies, offset=offsets, right=signers, family=st.sampled_from(["webhook", "svix"]))
def test_standard_accepts_what_its_libraries_accept(
    body: str, offset: float, right: list[bool], family: str
) -> None:
    now = NOW + offset
    signed = [VENDORS["standard"].sign(WHSEC if one else OTHER_WHSEC, body, NOW) for one in right]
    signatures = ["v2,AAAA", *(headers["webhook-signature"] for headers in signed), "v1a,AAAA"]
    headers = {
        f"{family}-id": "msg_1",
        f"{family}-timestamp": str(NOW),
        f"{family}-signature": " ".join(signatures),
    }

    with mock.patch.object(standardwebhooks.webhooks, "datetime", stopped_at(now)):
        try:
            if family == "svix":
                svix.webhooks.Webhook(WHSEC).verify(body, headers)
            else:
                standardwebhooks.Webhook(WHSEC).verify(body, headers, json_parse=False)
            theirs = True
        except standardwebhooks.WebhookVerificationError:
            theirs = False
    ours = accepted("standard", WHSEC, body, headers, now)

    assert ours is theirs


def test_the_libraries_accept_on_the_real_clock_what_we_accept() -> None:
    now = int(time.time())
    body = VENDORS["stripe"].body
    signed = {name: VENDORS[name].sign(VENDORS[name].secret, body, now) for name in VENDORS}

    stripe.WebhookSignature.verify_header(
        body, signed["stripe"]["Stripe-Signature"], VENDORS["stripe"].secret, 300
    )
    standardwebhooks.Webhook(WHSEC).verify(body, signed["standard"])
    svix.webhooks.Webhook(WHSEC).verify(body, signed["svix"])
    assert SignatureVerifier(VENDORS["slack"].secret).is_valid_request(body, signed["slack"])

    for name, headers in signed.items():
        vendor = VENDORS[name]
        assert accepted(vendor.scheme, vendor.secret, body, headers, time.time())
