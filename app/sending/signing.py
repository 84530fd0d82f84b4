"""The headers of an outgoing webhook, by Standard Webhooks.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from ...store import Message
from ...store.errors import InvalidInput
from ...store.outbox import secret_bytes
from .options import Secrets


def webhook_id(store_id: str, message: Message) -> str:
    """Return the id by which the receiver knows a webhook: the same at every attempt.

    It is made of the key and not of the message's number, which another message may get after
    an older backup was restored. An operator's copy is to be handled again, so it has another.
    """
    copy = "" if message.copy_of is None else str(message.id)
    parts = "\0".join((store_id, message.key or str(message.id), copy))
    return f"msg_{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def headers(id: str, body: bytes, secrets: Sequence[bytes], now: float) -> dict[str, str]:
    """Return id, timestamp and signatures.

    Args:
        now: Of this very attempt; a receiver refuses what was signed five minutes ago.
    """
    timestamp = str(int(now))
    signed = b".".join((id.encode(), timestamp.encode(), body))
    found = {"webhook-id": id, "webhook-timestamp": timestamp}
    if secrets:
        macs = [hmac.digest(secret, signed, "sha256") for secret in secrets]
        found["webhook-signature"] = " ".join(f"v1,{base64.b64encode(m).decode()}" for m in macs)
    return found


def resolve(given: Sequence[str], known: Secrets) -> list[bytes]:
    """Return the secrets that are given, or named.

    Raises:
        InvalidInput: The app has no secret of that name.
    """
    found = []
    for text in given:
        for each in known.get(text, (text,)):
            if (secret := secret_bytes(each)) is None:
                raise InvalidInput(f"the app has no secret {each!r}: App(secrets={{...}}) names it")
            found.append(secret)
    return found
