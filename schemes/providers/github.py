"""GitHub: HMAC-SHA256 of the body; no timestamp."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...store.rules.retention import DAY_MS
from ...store.types.content.payload import FormFields
from ..body import document, string
from ..mac import Mac
from ..naming import named
from ..outgoing import Outgoing, derived_id
from ..recipe import Recipes, decoded
from ..request import Event, Malformed, Request, Verdict
from ..signature_header import from_hex

_DELIVERY = re.compile(rb"[\x20-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class GitHub:
    """The key is the delivery's id, which the signature does not cover.

    Source: docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """

    name: ClassVar[str] = "github"
    own_key: ClassVar[str | None] = "header:X-GitHub-Delivery"
    keep_ms: ClassVar[int] = (
        31 * DAY_MS
    )  # its button redelivers for 3 days, on older Enterprise servers for 30
    example: ClassVar[str] = "push"

    mac: Mac
    recipes: Recipes

    def early(self, request: Request) -> None:
        return None

    def verify(self, request: Request, now: float) -> Verdict:
        header = request.header(b"x-hub-signature-256")
        if header is None:
            return Verdict.MISSING
        if not header.startswith(b"sha256="):
            return Verdict.MALFORMED
        signature = from_hex(header.removeprefix(b"sha256="), self.mac.size)
        if signature is None:
            return Verdict.MALFORMED
        genuine = self.mac.signed(request.body, [signature])
        return Verdict.GENUINE if genuine else Verdict.MISMATCH

    def read(self, request: Request) -> Event:
        body = document(request)
        if isinstance(body, FormFields):
            raise Malformed("The form has no payload field with JSON.")
        action = string(body, "action")
        event = decoded(request.header(b"x-github-event"))
        if event and action:
            event = f"{event}.{action}"
        return self.recipes.over(request, named(_delivery(request), event))

    def sample(self, event: str, seed: str) -> Any:
        node = derived_id(seed)
        repository = {"id": 1, "name": "hello", "full_name": "octocat/hello", "node_id": node}
        body = {"repository": repository, "sender": {"id": 1, "login": "octocat"}}
        if event != "push":
            return body
        commit = {"id": "1" * 40, "message": "Say hello", "added": ["hello.txt"]}
        push = {"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40}
        return {**push, "commits": [commit], "head_commit": commit, **body}

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        name, _, action = (event or "").partition(".")
        if action:
            outgoing.put(("action",), action)
        if name:
            outgoing.set("x-github-event", name)
        if key is not None:
            outgoing.set("x-github-delivery", key)
        outgoing.default("x-github-event", "push")
        outgoing.default("x-github-delivery", str(uuid.uuid4()))

    def sign(self, outgoing: Outgoing, now: float) -> None:
        signature = self.mac.sign(outgoing.body).hex()
        outgoing.default("x-hub-signature-256", f"sha256={signature}")


def build(secrets: Sequence[str], *, key: str | None = None, event: str | None = None) -> GitHub:
    """Return the scheme of GitHub's webhooks."""
    return GitHub(Mac.under(secrets), Recipes.spelled(key=key, event=event))


def _delivery(request: Request) -> str | None:
    delivery = request.header(b"x-github-delivery") or b""
    return delivery.decode("ascii") if _DELIVERY.fullmatch(delivery) else None
