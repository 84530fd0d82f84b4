"""Standard Webhooks and Svix: id, timestamp and body signed with HMAC or Ed25519."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from ...store.rules.retention import DAY_MS
from ..body import string
from ..ed25519 import KEY_SIZE, SIGNATURE_SIZE, Ed25519
from ..mac import Mac
from ..naming import named
from ..options import usable_tolerance
from ..outgoing import SAMPLE_AT, Outgoing, derived_id, new_id
from ..recipe import Recipes, decoded
from ..request import Event, Request, Unparsable, Verdict
from ..signature_header import from_base64, from_seconds, to_base64

_LETTERS = re.compile(r"[A-Za-z0-9+/]*")
_FAMILIES = (b"webhook-", b"svix-")


class _Headers(NamedTuple):
    id: bytes
    timestamp: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Standard:
    """The key is the signed id; v1 signatures are HMAC-SHA256, v1a are Ed25519.

    Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
    """

    name: ClassVar[str] = "standard"
    own_key: ClassVar[str | None] = "header:webhook-id"
    keep_ms: ClassVar[int] = 5 * DAY_MS  # the standard's own schedule takes 76 hours
    example: ClassVar[str] = "example.created"

    mac: Mac
    ed25519: Ed25519
    recipes: Recipes
    tolerance: float

    def early(self, request: Request) -> None:
        return None

    def verify(self, request: Request, now: float) -> Verdict:
        headers = _headers(request)
        if headers is None:
            return Verdict.MISSING
        signed_at = from_seconds(headers.timestamp)
        shared = _items(headers.signature, b"v1,", self.mac.size)
        public = _items(headers.signature, b"v1a,", SIGNATURE_SIZE)
        if signed_at is None or not shared + public:
            return Verdict.MALFORMED
        message = b".".join((headers.id, headers.timestamp, request.body))
        if not self.mac.signed(message, shared) and not self.ed25519.signed(message, public):
            return Verdict.MISMATCH
        return Verdict.GENUINE if abs(now - signed_at) <= self.tolerance else Verdict.STALE

    def read(self, request: Request) -> Event:
        headers = _headers(request)
        key = None if headers is None else decoded(headers.id)
        return self.recipes.over(request, named(key, _event(request)))

    def sample(self, event: str, seed: str) -> Any:
        moment = datetime.fromtimestamp(SAMPLE_AT, UTC).isoformat(timespec="seconds")
        return {"timestamp": moment, "data": {"id": derived_id(seed, "obj_")}}

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        if key is not None:
            outgoing.set(f"{_family(outgoing)}-id", key)
        if event is not None:
            outgoing.put(("type",), event)
        outgoing.default(f"{_family(outgoing)}-id", new_id("msg_"))

    def sign(self, outgoing: Outgoing, now: float) -> None:
        family = _family(outgoing)
        outgoing.default(f"{family}-timestamp", str(int(now)))
        signed = (outgoing.header(f"{family}-id"), outgoing.header(f"{family}-timestamp"))
        signature = self.mac.sign(b".".join((*signed, outgoing.body)))
        outgoing.default(f"{family}-signature", f"v1,{to_base64(signature)}")


def build(
    secrets: Sequence[str],
    *,
    tolerance: float | timedelta = 300,
    key: str | None = None,
    event: str | None = None,
) -> Standard:
    """Return the scheme of Standard Webhooks.

    A secret is base64, with or without padding and "whsec_", or "whpk_" and a public key.
    """
    public = [_key(secret) for secret in secrets if secret.startswith("whpk_")]
    shared = [_secret(secret) for secret in secrets if not secret.startswith("whpk_")]
    return Standard(
        Mac(tuple(shared)),
        Ed25519.under(public),
        Recipes.spelled(key=key, event=event),
        usable_tolerance(tolerance),
    )


def _secret(text: str) -> bytes:
    secret = _from_base64(text.removeprefix("v1,").removeprefix("whsec_"))
    if not secret:
        raise ValueError(
            "A secret of scheme 'standard' is base64, with \"whsec_\" in front or not."
        )
    return secret


def _key(text: str) -> bytes:
    key = _from_base64(text.removeprefix("whpk_"))
    if key is None or len(key) != KEY_SIZE:
        raise ValueError(f'A "whpk_" key is {KEY_SIZE} bytes in base64.')
    return key


def _from_base64(text: str) -> bytes | None:
    """Decode base64 leniently: padded or not, with any spare bits."""
    letters = text.rstrip("=")
    if not _LETTERS.fullmatch(letters) or len(text) - len(letters) > 2:
        return None
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        return None


def _headers(request: Request) -> _Headers | None:
    """Return the headers of the first family that is complete."""
    for family in _FAMILIES:
        values = [request.header(family + name.encode()) for name in _Headers._fields]
        if all(values):
            return _Headers(*(value for value in values if value))
    return None


def _family(outgoing: Outgoing) -> str:
    """Return "svix" if the request has such headers, else "webhook"."""
    svix = any(name.startswith("svix-") for name in outgoing.headers)
    return "svix" if svix else "webhook"


def _items(header: bytes, version: bytes, size: int) -> list[bytes]:
    values = [item for item in header.split(b" ") if item.startswith(version)]
    found = (from_base64(value.removeprefix(version), size) for value in values)
    return [signature for signature in found if signature is not None]


def _event(request: Request) -> str | None:
    try:
        return string(request.json(), "type")
    except Unparsable:
        if request.is_json():
            raise
        return None
