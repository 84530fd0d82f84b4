"""Slack: HMAC-SHA256 of timestamp and body; events, commands and interactivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from ..request import Event, Handshake, Malformed, Request, Verdict
from .body import form, is_form, parse, string, type_of
from .forms import from_hex, from_seconds
from .mac import Mac
from .naming import named
from .options import usable_tolerance
from .recipe import Recipes


class _Envelope(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    challenge: msgspec.Raw = msgspec.Raw()
    event_id: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()


class _Interaction(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    trigger_id: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Slack:
    """Events are JSON; commands and interactivity are forms that want an empty answer.

    Source: docs.slack.dev/authentication/verifying-requests-from-slack
    """

    mac: Mac
    recipes: Recipes
    tolerance: float

    def early(self, request: Request) -> Handshake | None:
        """Answer the certificate check, which comes unsigned."""
        if is_form(request) and b"ssl_check=1" in request.body.split(b"&"):
            return Handshake(b"", b"text/plain")
        return None

    def verify(self, request: Request, now: float) -> Verdict:
        header = request.header(b"x-slack-signature")
        timestamp = request.header(b"x-slack-request-timestamp")
        if header is None or timestamp is None:
            return Verdict.MISSING
        signed_at = from_seconds(timestamp)
        if signed_at is None or not header.startswith(b"v0="):
            return Verdict.MALFORMED
        signature = from_hex(header.removeprefix(b"v0="), self.mac.size)
        if signature is None:
            return Verdict.MALFORMED
        if not self.mac.signed(b"v0:" + timestamp + b":" + request.body, [signature]):
            return Verdict.MISMATCH
        return Verdict.GENUINE if abs(now - signed_at) <= self.tolerance else Verdict.STALE

    def read(self, request: Request) -> Event | Handshake:
        found = _from_form(request.body) if is_form(request) else _from_json(request.body)
        return found if isinstance(found, Handshake) else self.recipes.over(request, found)


def build(
    secrets: Sequence[str],
    *,
    tolerance: float | timedelta = 300,
    key: str | None = None,
    event: str | None = None,
) -> Slack:
    """Return the scheme of Slack's events, commands and interactivity."""
    return Slack(
        Mac.under(secrets), Recipes.spelled(key=key, event=event), usable_tolerance(tolerance)
    )


def _from_json(body: bytes) -> Event | Handshake:
    envelope = parse(body, _Envelope)
    kind = string(envelope.type)
    if kind == "url_verification":
        return _answer(string(envelope.challenge))
    if kind == "app_rate_limited":
        return Handshake(b"")
    return named(string(envelope.event_id), type_of(envelope.event))


def _answer(challenge: str | None) -> Handshake:
    if challenge is None:
        raise Malformed("The url_verification has no challenge.")
    return Handshake(msgspec.json.encode({"challenge": challenge}))


def _from_form(body: bytes) -> Event:
    fields = form(body)
    payload = fields.get("payload")
    if payload is not None:
        action = parse(payload, _Interaction)
        return named(string(action.trigger_id), string(action.type), silent=True)
    command = fields.get("command")
    return named(fields.get("trigger_id"), command and f"command:{command}", silent=True)
