"""Slack: HMAC-SHA256 of timestamp and body; events, commands and interactivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from ...store.rules.retention import DAY_MS
from ...store.types.content.payload import FormFields
from ..body import document, string
from ..mac import Mac
from ..naming import named
from ..options import usable_tolerance
from ..outgoing import SAMPLE_AT, Outgoing, derived_id, new_id
from ..recipe import BodyHash, Recipes
from ..request import Event, Handshake, Malformed, Request, Verdict
from ..signature_header import from_hex, from_seconds

_SIGNATURE = b"x-slack-signature"
_TIMESTAMP = b"x-slack-request-timestamp"
_COMMAND = "command:"
_INTERACTIONS = {
    "block_actions",
    "block_suggestion",
    "dialog_submission",
    "interactive_message",
    "message_action",
    "shortcut",
    "view_closed",
    "view_submission",
}


@dataclass(frozen=True, slots=True)
class Slack:
    """Events are JSON; commands and interactivity are forms, and want an empty answer.

    Source: docs.slack.dev/authentication/verifying-requests-from-slack
    """

    name: ClassVar[str] = "slack"
    own_key: ClassVar[str | None] = "json:/event_id, json:/trigger_id"
    keep_ms: ClassVar[int] = 1 * DAY_MS  # it retries for an hour
    example: ClassVar[str] = "app_mention"

    mac: Mac
    recipes: Recipes
    tolerance: float

    def early(self, request: Request) -> Handshake | None:
        """Answer the certificate check, which Slack sends unsigned."""
        if request.is_form() and b"ssl_check=1" in request.body.split(b"&"):
            return Handshake(b"", b"text/plain")
        return None

    def verify(self, request: Request, now: float) -> Verdict:
        header = request.header(_SIGNATURE)
        timestamp = request.header(_TIMESTAMP)
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
        body = document(request)
        found = _from_form(body, request) if request.is_form() else _from_json(body)
        return found if isinstance(found, Handshake) else self.recipes.over(request, found)

    def sample(self, event: str, seed: str) -> Any:
        team = {"id": "T0001", "domain": "example"}
        user = {"id": "U0001", "name": "mona"}
        if event.startswith(_COMMAND):
            return {"team_id": "T0001", "user_id": "U0001", "user_name": "mona", "text": "hello"}
        if event in _INTERACTIONS:
            return {"team": team, "user": user}
        said = {"user": "U0001", "channel": "C0001", "text": "hello"}
        sent = {"event": {**said, "client_msg_id": derived_id(seed)}, "event_time": SAMPLE_AT}
        return {"team_id": "T0001", "api_app_id": "A0001", **sent}

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        """Send commands ("command:/name") and interactions ("view_closed") as forms."""
        if event and event.startswith(_COMMAND):
            outgoing.as_form(fields=True)
            outgoing.put(("command",), event.removeprefix(_COMMAND))
        elif event in _INTERACTIONS:
            outgoing.as_form(fields=False)
            outgoing.put(("type",), event or "")
        if outgoing.request().is_form():
            key_at, new_key = "trigger_id", new_id()
        else:
            key_at, new_key = "event_id", new_id("Ev")
            if event:
                outgoing.put(("event", "type"), event)
            outgoing.fill("type", "event_callback")
        if key is not None:
            outgoing.put((key_at,), key)
        outgoing.fill(key_at, new_key)

    def sign(self, outgoing: Outgoing, now: float) -> None:
        outgoing.default(_TIMESTAMP.decode("ascii"), str(int(now)))
        time = outgoing.header(_TIMESTAMP.decode("ascii"))
        signature = self.mac.sign(b"v0:" + time + b":" + outgoing.body).hex()
        outgoing.default(_SIGNATURE.decode("ascii"), f"v0={signature}")


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


def _from_json(envelope: dict[str, Any]) -> Event | Handshake:
    kind = string(envelope, "type")
    if kind == "url_verification":
        return _answer(string(envelope, "challenge"))
    if kind == "app_rate_limited":
        return Handshake(b"")
    return named(string(envelope, "event_id"), string(envelope.get("event"), "type"))


def _answer(challenge: str | None) -> Handshake:
    if challenge is None:
        raise Malformed("The url_verification has no challenge.")
    return Handshake(msgspec.json.encode({"challenge": challenge}))


def _from_form(body: dict[str, Any], request: Request) -> Event:
    key = string(body, "trigger_id")
    if isinstance(body, FormFields):
        command = string(body, "command")
        return named(key, command and f"{_COMMAND}{command}", silent=True)
    # A closed view and the old dialogs have no trigger_id. Slack sends them once.
    return named(key or BodyHash().find(request), string(body, "type"), silent=True)
