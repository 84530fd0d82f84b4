"""Stripe: HMAC-SHA256 of timestamp and body, several signatures in one header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from ...store.rules.retention import DAY_MS
from ..body import document, string
from ..mac import Mac
from ..naming import named
from ..options import usable_tolerance
from ..outgoing import SAMPLE_AT, Outgoing, derived_id, new_id
from ..recipe import Recipes
from ..request import Event, Request, Verdict
from ..signature_header import from_hex, from_seconds


@dataclass(frozen=True, slots=True)
class Stripe:
    """The tolerance applies to the past only, as in Stripe's own libraries.

    Source: docs.stripe.com/webhooks
    """

    name: ClassVar[str] = "stripe"
    own_key: ClassVar[str | None] = "json:/id"
    keep_ms: ClassVar[int] = 31 * DAY_MS  # its CLI resends for 30 days
    example: ClassVar[str] = "invoice.paid"

    mac: Mac
    recipes: Recipes
    tolerance: float

    def early(self, request: Request) -> None:
        return None

    def verify(self, request: Request, now: float) -> Verdict:
        header = request.header(b"stripe-signature")
        if header is None:
            return Verdict.MISSING
        times = _items(header, b"t")
        found = (from_hex(value, self.mac.size) for value in _items(header, b"v1"))
        signatures = [signature for signature in found if signature is not None]
        if len(times) != 1 or not signatures:
            return Verdict.MALFORMED
        signed_at = from_seconds(times[0])
        if signed_at is None:
            return Verdict.MALFORMED
        if not self.mac.signed(times[0] + b"." + request.body, signatures):
            return Verdict.MISMATCH
        return Verdict.GENUINE if signed_at >= now - self.tolerance else Verdict.STALE

    def read(self, request: Request) -> Event:
        body = document(request)
        return self.recipes.over(request, named(string(body, "id"), string(body, "type")))

    def sample(self, event: str, seed: str) -> Any:
        kind = event.rpartition(".")[0]
        subject = {"id": derived_id(seed, "obj_"), "object": kind, "livemode": False}
        return {
            "object": "event",
            "created": SAMPLE_AT,
            "livemode": False,
            "data": {"object": subject},
        }

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        if key is not None:
            outgoing.put(("id",), key)
        if event is not None:
            outgoing.put(("type",), event)
        outgoing.fill("id", new_id("evt_"))

    def sign(self, outgoing: Outgoing, now: float) -> None:
        time = str(int(now))
        signature = self.mac.sign(f"{time}.".encode() + outgoing.body).hex()
        outgoing.default("stripe-signature", f"t={time},v1={signature}")


def build(
    secrets: Sequence[str],
    *,
    tolerance: float | timedelta = 300,
    key: str | None = None,
    event: str | None = None,
) -> Stripe:
    """Return the scheme of Stripe's events. A secret is its whole text, "whsec_" included."""
    return Stripe(
        Mac.under(secrets), Recipes.spelled(key=key, event=event), usable_tolerance(tolerance)
    )


def _items(header: bytes, name: bytes) -> list[bytes]:
    """Return the values with a name: "t", or "v1"; "v0" signs test events."""
    start = name + b"="
    return [item.removeprefix(start) for item in header.split(b",") if item.startswith(start)]
