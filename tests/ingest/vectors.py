"""Requests signed as each provider signs them, by its own library where it has one."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import standardwebhooks
import stripe
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from slack_sdk.signature import SignatureVerifier

from fencepost.schemes import Options, SchemeName
from fencepost.schemes.request import Request

NOW = 1_795_000_000

Headers = dict[str, str]
Sign = Callable[[str, str, int], Headers]


@dataclass(frozen=True, slots=True)
class Vendor:
    """A provider: `sign` takes secret, body and unix seconds; `signed` headers are covered."""

    scheme: SchemeName
    secret: str
    other_secret: str
    sign: Sign
    signed: tuple[str, ...]
    body: str
    key: str | None
    event: str
    options: Options = field(default_factory=Options)

    def request(self, *, body: str | None = None, secret: str | None = None) -> Request:
        text = self.body if body is None else body
        return request(text.encode(), self.sign(secret or self.secret, text, NOW))


def request(body: bytes, headers: Mapping[str, str | bytes]) -> Request:
    """Return the request as an ASGI server hands it over."""
    pairs = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    ]
    return Request(pairs, body)


def replaced(genuine: Request, name: str, value: bytes) -> Request:
    """Return the request with another value of one header."""
    pairs = [(key, value if key == name.encode() else old) for key, old in genuine.headers]
    return Request(pairs, genuine.body)


def flips(data: bytes) -> Iterator[bytes]:
    """Return every change of one bit."""
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def hex_hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def sign_github(secret: str, body: str, at: int) -> Headers:
    return {
        "X-Hub-Signature-256": "sha256=" + hex_hmac(secret, body.encode()),
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-GitHub-Event": "pull_request",
    }


def sign_stripe(secret: str, body: str, at: int) -> Headers:
    header = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return {"Stripe-Signature": header}


def sign_slack(secret: str, body: str, at: int) -> Headers:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(at), body=body)
    assert signature is not None
    return {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": signature}


def sign_standard(secret: str, body: str, at: int) -> Headers:
    signature = standardwebhooks.Webhook(secret).sign(
        "msg_1", datetime.fromtimestamp(at, UTC), body
    )
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": signature,
    }


def sign_svix(secret: str, body: str, at: int) -> Headers:
    signature = svix.webhooks.Webhook(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
    return {"svix-id": "msg_1", "svix-timestamp": str(at), "svix-signature": signature}


def private_key(secret: str) -> Ed25519PrivateKey:
    """Return one of two key pairs, found by its public half."""
    pairs = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
    return next(pair for pair in pairs if whpk(pair) == secret)


def whpk(pair: Ed25519PrivateKey) -> str:
    raw = pair.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "whpk_" + base64.b64encode(raw).decode()


def sign_ed25519(secret: str, body: str, at: int) -> Headers:
    signature = private_key(secret).sign(f"msg_1.{at}.{body}".encode())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": "v1a," + base64.b64encode(signature).decode(),
    }


def sign_hmac(secret: str, body: str, at: int) -> Headers:
    return {"X-Signature": hex_hmac(secret, body.encode()), "X-Event-Id": "e-1"}


WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_WHSEC = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
WHPK, OTHER_WHPK = (whpk(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))

_STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
_SVIX = ("svix-id", "svix-timestamp", "svix-signature")
_TYPED = '{"type": "user.created", "data": {"id": 5}}'

VENDORS = {
    "github": Vendor(
        "github",
        "It's a Secret to Everybody",
        "another",
        sign_github,
        ("x-hub-signature-256",),
        '{"action": "opened", "number": 7}',
        "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "pull_request.opened",
    ),
    "stripe": Vendor(
        "stripe",
        "whsec_test_secret",
        "whsec_another",
        sign_stripe,
        ("stripe-signature",),
        '{"id": "evt_1", "object": "event", "type": "invoice.paid"}',
        "evt_1",
        "invoice.paid",
    ),
    "slack": Vendor(
        "slack",
        "8f742231b10e8888abcd99yyyzzz85a5",
        "another",
        sign_slack,
        ("x-slack-request-timestamp", "x-slack-signature"),
        '{"type": "event_callback", "event_id": "Ev01", "event": {"type": "app_mention"}}',
        "Ev01",
        "app_mention",
    ),
    "standard": Vendor(
        "standard", WHSEC, OTHER_WHSEC, sign_standard, _STANDARD, _TYPED, "msg_1", "user.created"
    ),
    "svix": Vendor(
        "standard", WHSEC, OTHER_WHSEC, sign_svix, _SVIX, _TYPED, "msg_1", "user.created"
    ),
    "ed25519": Vendor(
        "standard", WHPK, OTHER_WHPK, sign_ed25519, _STANDARD, _TYPED, "msg_1", "user.created"
    ),
    "hmac": Vendor(
        "hmac",
        "hush-hush",
        "another",
        sign_hmac,
        ("x-signature",),
        _TYPED,
        "e-1",
        "user.created",
        Options(key="header:X-Event-Id"),
    ),
}
