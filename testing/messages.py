"""Messages for handlers that a test calls itself."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..store import Message
from ..store.errors import InvalidInput
from ..store.types import validate as check

Body = bytes | bytearray | memoryview | str | Mapping[str, Any] | Sequence[Any] | None


def message(
    source: str | None = None,
    event: str = "",
    body: Body = None,
    key: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    id: int = 1,
) -> Message:
    """Return a message for a handler that a test calls itself.

    For example: `deploy(message("github", "push", {"ref": "main"}), Context())`.

    Args:
        body: Bytes and text are used as they are; a dict or list becomes JSON.

    Raises:
        InvalidInput: An argument is not usable.
    """
    given = check.headers({} if headers is None else headers)
    return Message(id, source, key, event, given, as_bytes(body), time.time())


def as_bytes(body: Body) -> bytes:
    """Return the bytes of a body.

    Raises:
        InvalidInput: It is neither bytes nor str, and not JSON.
    """
    if body is None:
        return b""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"a body must be bytes, str or JSON: {error}") from error
