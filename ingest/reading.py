"""Reading a request's body: capped while it streams, and never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A body this much over the cap is still read, and thrown away, so that its sender gets
# to read the 413; to a larger one the connection is closed.
_DRAINED_BYTES = 64 * 1024 * 1024
_SECONDS = 20.0


class TooLarge(Exception):
    """The body is over the cap."""


class Unfinished(Exception):
    """The sender went away, or did not send the body in time."""


async def read_body(scope: Scope, receive: Receive, cap: int) -> bytes:
    """Return the whole body of at most `cap` bytes.

    Raises:
        TooLarge: It is longer, or says so; what could be read of it was thrown away.
        Unfinished: It did not come to its end within twenty seconds.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            return await _read(scope, receive, cap)
    except TimeoutError as error:
        raise Unfinished("the body did not arrive in time") from error


async def _read(scope: Scope, receive: Receive, cap: int) -> bytes:
    declared = _declared_length(scope)
    if declared is not None and declared > cap and (declared > _DRAINED_BYTES or _asks(scope)):
        raise TooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Unfinished("the sender closed the connection")
        chunk = event.get("body", b"")
        size += len(chunk)
        if size <= cap:
            chunks.append(chunk)
        else:
            chunks.clear()
        if size > _DRAINED_BYTES or (size > cap and not event.get("more_body", False)):
            raise TooLarge
        if not event.get("more_body", False):
            return b"".join(chunks)


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _asks(scope: Scope) -> bool:
    """True when the sender waits for leave before it sends the body."""
    return any(name == b"expect" for name, _ in scope["headers"])
