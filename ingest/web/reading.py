"""Reading a request's body, with a cap and a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A body this much over the cap is still read, and thrown away, so that its sender gets
# to read the 413; to a larger one the connection is closed.
_DRAINED_BYTES = 64 * 1024 * 1024
_SECONDS = 20.0
_CHUNK_BYTES = 64 * 1024


class Readable(Protocol):
    """The part of a file that WSGI promises."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""
        ...


class TooLarge(Exception):
    """The body is over the cap."""


class Unfinished(Exception):
    """The sender went away, or did not send the body in time."""


class Body:
    """What has come of a body; a part over the cap is counted and thrown away."""

    def __init__(self, cap: int, *, declared: int | None, asks: bool) -> None:
        """Begin a body.

        Args:
            declared: Its length, where the sender says so.
            asks: The sender waits for leave before it sends the body.

        Raises:
            TooLarge: It is not worth reading.
        """
        if declared is not None and declared > cap and (declared > _DRAINED_BYTES or asks):
            raise TooLarge
        self._cap = cap
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take in the next part.

        Raises:
            TooLarge: There is no point in reading on.
        """
        self._size += len(chunk)
        if self._size <= self._cap:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()
        if self._size > _DRAINED_BYTES:
            raise TooLarge

    def whole(self) -> bytes:
        """Return the body, of which nothing more comes.

        Raises:
            TooLarge: It is over the cap.
        """
        if self._size > self._cap:
            raise TooLarge
        return b"".join(self._chunks)


async def read_body(scope: Scope, receive: Receive, cap: int) -> bytes:
    """Return the whole body of at most `cap` bytes.

    Raises:
        TooLarge: It is longer, or says so; what could be read of it was thrown away.
        Unfinished: It did not come to its end within twenty seconds.
    """
    names = {name for name, _ in scope["headers"]}
    body = Body(cap, declared=_declared_length(scope), asks=b"expect" in names)
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise Unfinished("the sender closed the connection")
                body.add(event.get("body", b""))
                if not event.get("more_body", False):
                    return body.whole()
    except TimeoutError as error:
        raise Unfinished("the body did not arrive in time") from error


def read_stream(stream: Readable, length: int | None, cap: int, *, asks: bool) -> bytes:
    """Return the whole body of at most `cap` bytes from a stream.

    Args:
        length: No byte beyond it is read; None when the stream ends where the body does.

    Raises:
        TooLarge, Unfinished: As read_body; the time is looked at between two chunks.
    """
    body = Body(cap, declared=length, asks=asks)
    deadline = time.monotonic() + _SECONDS
    left = length
    while left is None or left > 0:
        try:
            chunk = stream.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
        except Exception as error:
            raise Unfinished("the sender closed the connection") from error
        if not chunk:
            if left is None:
                break
            raise Unfinished("the sender closed the connection")
        body.add(chunk)
        left = None if left is None else left - len(chunk)
        if time.monotonic() > deadline:
            raise Unfinished("the body did not arrive in time")
    return body.whole()


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
