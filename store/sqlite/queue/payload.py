"""What messages carry, as it is stored: bodies, headers and results.

A body is compressed when that pays, and checked against its hash when it is read. Headers
and results are JSON. What cannot be read back as it was stored is StoreCorrupt.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import StoreCorrupt
from ...types.content.json_value import decode
from ...types.messages.draft import Draft

# A page. Compressing takes longer than writing what it saves, up to 64 KiB of JSON: at 4 KiB 24 us,
# and 8 us are saved. What waits takes a quarter of the space.
_LEAST_BYTES = 4096
# An eighth less is worth the time it takes to unpack.
_WORTH = 7 / 8


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A draft, and what is stored of it: all that can be computed before the lock is taken."""

    draft: Draft
    headers: str
    sha256: bytes
    plain_sha256: bytes | None
    body: bytes
    compressed: int
    outgoing: str | None = None


def prepare(draft: Draft, outgoing: str | None = None) -> Prepared:
    """Return the draft packed and hashed."""
    body, compressed = pack(draft.body)
    return Prepared(
        draft,
        headers_text(draft.headers),
        hashlib.sha256(draft.body).digest(),
        None if draft.plain is None else hashlib.sha256(draft.plain).digest(),
        body,
        compressed,
        outgoing,
    )


def pack(body: bytes) -> tuple[bytes, bool]:
    """Return what to store, and whether it is compressed."""
    if len(body) >= _LEAST_BYTES:
        packed = zlib.compress(body, 1)
        if len(packed) <= len(body) * _WORTH:
            return packed, True
    return body, False


def unpack(stored: bytes | None, compressed: int | None, sha256: bytes) -> bytes:
    """Return the body as it came.

    Raises:
        StoreCorrupt: It is not what was stored.
    """
    body = stored or b""
    if compressed:
        try:
            body = zlib.decompress(body)
        except zlib.error as error:
            raise StoreCorrupt(f"the stored body is damaged: {error}") from error
    if hashlib.sha256(body).digest() != sha256:
        raise StoreCorrupt("the stored body is damaged: its hash is not the one it came with")
    return body


def headers_text(headers: Mapping[str, str]) -> str:
    """Return headers as they are stored."""
    return msgspec.json.encode(headers).decode() if headers else "{}"


def result(stored: bytes | None, *, operation: str, path: str) -> Any:
    """Return the result that was kept, None when none was.

    Raises:
        StoreCorrupt: It is not what was stored.
    """
    return None if stored is None else _read_json(stored, "result", operation, path)


def headers(stored: bytes, *, operation: str, path: str) -> Mapping[str, str]:
    """Return a message's headers.

    Raises:
        StoreCorrupt: They are not what was stored.
    """
    value = _read_json(stored, "headers", operation, path)
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return value
    raise StoreCorrupt(
        f"{path}: the stored headers are damaged: they are no mapping of str to str",
        operation=operation,
        path=path,
    )


def _read_json(stored: bytes, what: str, operation: str, path: str) -> Any:
    try:
        return decode(stored)
    except ValueError as error:
        raise StoreCorrupt(
            f"{path}: the stored {what} is damaged: {error}", operation=operation, path=path
        ) from error
