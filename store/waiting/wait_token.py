"""Tokens: who has one may answer one wait of one delivery, once."""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Sequence

from ..engine import Engine
from ..errors import InvalidInput, LimitExceeded
from ..types.durable.wait import Place, Secret

# Of the secret, the delivery, its generation, the occurrence, and the length of the name, which
# follows.
_HEAD = struct.Struct(">BQHHH")
_MOST = 2**16 - 1
_SEAL_BYTES = 16


def make_token(engine: Engine, place: Place, *, since_ms: int | None = None) -> str:
    """Return the token of a wait.

    Args:
        since_ms: When the delivery's message came. A secret that is made later does not sign,
            so the token is the same each time, until its secret is retired. None: the newest
            secret signs.

    Raises:
        LimitExceeded: The name was asked for, or the delivery replayed anew, over 65,535 times.
    """
    if max(place.occurrence, place.generation) > _MOST:
        raise LimitExceeded(
            f"there is no token for more than {_MOST} waits of one name, nor after more than"
            f" {_MOST} replays from the start or from a step",
            operation="wait_url",
        )
    secret = _signer(engine.durable.waits.secrets(), since_ms)
    name = place.name.encode()
    body = _HEAD.pack(secret.id, place.delivery, place.generation, place.occurrence, len(name))
    body += name
    return _text(body + _seal(secret, body))


def read_token(engine: Engine, token: str) -> Place | None:
    """Return the wait that a token is for; None if it is none of this store's, or retired.

    Raises:
        InvalidInput: It is no str.
    """
    if not isinstance(token, str):
        raise InvalidInput(f"a token must be a str, not {type(token).__name__}")
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        body, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        id, delivery, generation, occurrence, length = _HEAD.unpack_from(body)
        name = body[_HEAD.size :].decode()
    except (binascii.Error, struct.error, ValueError):
        return None
    if _text(raw) != token:  # base64 skips characters that are none of its own
        return None
    for secret in engine.durable.waits.secrets():
        if secret.id == id and secret.retired_at_ms is None:
            if not hmac.compare_digest(seal, _seal(secret, body)):
                return None
            sound = len(body) == _HEAD.size + length and delivery < 2**63
            return Place(delivery, name, occurrence, generation) if sound else None
    return None


def _signer(secrets: Sequence[Secret], since_ms: int | None) -> Secret:
    good = [each for each in secrets if each.retired_at_ms is None]  # the newest always is
    if since_ms is None:
        return good[-1]
    # The first one may be younger than the message: it is made when it is first asked for.
    return next((each for each in good[::-1] if each.made_at_ms < since_ms), good[0])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _seal(secret: Secret, body: bytes) -> bytes:
    # The secret is the store's own. A copy that was restored has it too, and its URLs go on.
    return hmac.digest(secret.secret, body, "sha256")[:_SEAL_BYTES]
