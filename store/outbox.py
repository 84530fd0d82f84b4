"""Outgoing webhooks: what is stored of one before a pool sends it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets as random
from collections.abc import Sequence
from typing import Any

import msgspec

from .engine import Engine
from .errors import InvalidInput
from .naming import verbs
from .types import validate
from .types.durable.ended import can_wait
from .types.messages.draft import Address, Draft, queue_scope
from .types.messages.receipt import Receipt
from .types.sending.destination import destination
from .types.sending.outgoing import OUTBOX, Outgoing

Secret = str | Sequence[str]

_SECRET = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
# The shortest that Standard Webhooks allows. What is shorter, and has no "whsec_", is a name.
_LEAST_BYTES = 24
_MOST_SECRETS = 5


@verbs
class Sending:
    """The part of a store for outgoing webhooks."""

    engine: Engine

    def outbox(
        self,
        url: str,
        body: Any,
        *,
        key: str | None = None,
        secret: Secret | None = None,
        lane: str | None = None,
    ) -> Receipt:
        """Store a webhook, which a pool then sends; in a transaction it is part of that.

        A handler uses `Context.send`, which says what the arguments are. The app that they
        speak of is that of the pool. Here a key of None makes each call a new webhook.

        Raises:
            InvalidInput: An argument is not usable; nothing was stored.
            LimitExceeded: The body is too large; nothing was stored.
            StoreBusy: The write lock was not free in time; nothing was stored.
        """
        # One of its own also without a key: what the receiver sees is derived from it.
        own = f"{random.token_hex(16)}" if key is None else validate.key(key)
        return send(self.engine, url, body, key=own, secret=secret, lane=lane)


def send(
    engine: Engine,
    url: str,
    body: Any,
    *,
    key: str,
    secret: Secret | None,
    lane: str | None,
) -> Receipt:
    """Store a webhook; "conflict" when the key is known with another URL or body."""
    destination(url)
    signing = tuple(_secret(each) for each in _each(secret))
    sent, kind = _encoded(body)
    draft = Draft(
        scope=queue_scope(OUTBOX),
        source=None,
        key=key,
        event="",
        headers={"content-type": kind},
        body=validate.body(sent),
        addresses=[Address(OUTBOX, lane=validate.lane(lane))],
        plain=b"\0".join((url.encode(), sent)),  # by which two are the same
    )
    receipt = engine.queue.outbox.send(draft, Outgoing(url, signing))
    return can_wait([receipt], engine.durable.ends.waiting)[0]


def secret_bytes(text: str) -> bytes | None:
    """Return the bytes of a secret; None when the text can only be the name of one."""
    own = text.removeprefix("whsec_")
    if not _SECRET.fullmatch(own):
        return None
    letters = own.rstrip("=")
    try:
        found = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        return None
    return found if found and (own != text or len(found) >= _LEAST_BYTES) else None


def is_secret_name(text: object) -> bool:
    """True for what can name a secret, and is none itself."""
    return isinstance(text, str) and bool(_NAME.fullmatch(text)) and secret_bytes(text) is None


def _each(secret: Secret | None) -> Sequence[str]:
    if secret is None:
        return ()
    if isinstance(secret, str):
        return (secret,)
    found = list(validate.each(secret, "secret"))
    if not 1 <= len(found) <= _MOST_SECRETS:
        raise InvalidInput(f"secret must be 1 to {_MOST_SECRETS} secrets, not {len(found)}")
    return found


def _secret(text: object) -> str:
    """Check a secret or a name of one; what it is must not be in an error."""
    if not isinstance(text, str) or not text:
        raise InvalidInput("secret must be a str: a secret in base64, or the name of one")
    if text.startswith("whsec_") and secret_bytes(text) is None:
        raise InvalidInput('secret must be "whsec_" and base64')
    if secret_bytes(text) is None and not is_secret_name(text):
        raise InvalidInput("secret is neither base64 of at least 24 bytes nor a name")
    return text


def _encoded(body: Any) -> tuple[bytes, str]:
    """Return what goes out, and its content type."""
    if isinstance(body, bytes | bytearray | memoryview):
        sent = validate.body(body)
        return sent, "application/json" if _is_json(sent) else "application/octet-stream"
    if isinstance(body, str):
        try:
            sent = body.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(f"body is not valid Unicode: {error.reason}") from error
        return sent, "application/json" if _is_json(sent) else "text/plain; charset=utf-8"
    try:
        # Sorted: a handler that is called again may have filled a dict in another order.
        text = json.dumps(body, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"body must be bytes, a str or JSON: {error}") from error
    return text.encode(), "application/json"


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True
