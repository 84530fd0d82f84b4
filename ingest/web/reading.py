"""Reading a request's body, with a cap and a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A body over the cap is read and discarded up to this size, so that its sender gets to read the
# 413. For a larger one the connection is closed.
_DRAINED_BYTES = 64 * 1024 * 1024
BODY_SECONDS = 20.0
_CHUNK_BYTES = 64 * 1024

# Why a body is Unfinished.
BROKEN_OFF = "the sender closed the connection"
TOO_LATE = "the body did not arrive in time"


class Readable(Protocol):
    """The part of a file that WSGI promises."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


class TooLarge(Exception):
    """The body is over the cap."""


class Unfinished(Exception):
    """The sender closed the connection, or did not send the body in time."""


class Body:
    """The chunks of a body so far; those over the cap are counted and discarded."""

    def __init__(self, cap: int, *, declared: int | None, asks: bool) -> None:
        """Start with an empty body.

        Args:
            declared: The request's Content-Length, or None.
            asks: The sender waits for "100 Continue" before it sends the body.

        Raises:
            TooLarge: The declared length is too large to read.
        """
        if declared is not None and declared > cap and (declared > _DRAINED_BYTES or asks):
            raise TooLarge
        self._cap = cap
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Add the next chunk.

        Raises:
            TooLarge: The body is so large that the rest is not read.
        """
        self._size += len(chunk)
        if self._size <= self._cap:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()
        if self._size > _DRAINED_BYTES:
            raise TooLarge

    def whole(self) -> bytes:
        """Return the complete body.

        Raises:
            TooLarge: It is over the cap.
        """
        if self._size > self._cap:
            raise TooLarge
        return b"".join(self._chunks)


async def read_body(scope: Scope, receive: Receive, cap: int) -> bytes:
    """Return the whole body of at most `cap` bytes.

    Raises:
        TooLarge: It is longer, or its Content-Length is.
        Unfinished: It was not complete after 20 s, or the sender closed the connection.
    """
    names = {name for name, _ in scope["headers"]}
    body = Body(cap, declared=_declared_length(scope), asks=b"expect" in names)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise Unfinished(BROKEN_OFF)
                body.add(event.get("body", b""))
                if not event.get("more_body", False):
                    return body.whole()
    except TimeoutError as error:
        raise Unfinished(TOO_LATE) from error


def read_stream(stream: Readable, length: int | None, cap: int, *, asks: bool) -> bytes:
    """Return the whole body of at most `cap` bytes from a stream.

    Args:
        length: The length of the body; None when the stream ends with the body.

    Raises:
        TooLarge, Unfinished: As in read_body; the time is checked between two chunks.
    """
    body = Body(cap, declared=length, asks=asks)
    deadline = time.monotonic() + BODY_SECONDS
    left = length
    while left is None or left > 0:
        try:
            chunk = stream.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
        except Exception as error:
            raise Unfinished(BROKEN_OFF) from error
        if not chunk:
            if left is None:
                break
            raise Unfinished(BROKEN_OFF)
        body.add(chunk)
        left = None if left is None else left - len(chunk)
        if time.monotonic() > deadline:
            raise Unfinished(TOO_LATE)
    return body.whole()


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
