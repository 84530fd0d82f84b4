"""Answers to handlers that wait: from a token and a value to the wait."""

from __future__ import annotations

import json
from typing import Literal

from ..engine import Engine
from ..errors import LimitExceeded
from ..types.content import json_value
from ..types.durable.wait import Answered
from .wait_token import read_token

MOST_BYTES = 64 * 1024


def resume(engine: Engine, token: str, value: object) -> Answered | Literal["unknown"]:
    """Give an answer; "unknown" when the token is none of this store's.

    Raises:
        InvalidInput: The value is not JSON.
        LimitExceeded: It is over 64 KiB.
    """
    place = read_token(engine, token)
    if place is None:
        return "unknown"
    return engine.durable.waits.answer(place, _canonical(value))


def _canonical(value: object) -> str:
    """Return JSON text that is the same for the same value."""
    plain = json.loads(json_value.encode(value))
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    if (size := len(text.encode())) > MOST_BYTES:
        raise LimitExceeded(
            f"an answer of {size} bytes is over the {MOST_BYTES} allowed", operation="resume"
        )
    return text
