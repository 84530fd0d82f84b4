"""Bodies as they are stored: compressed when that pays, believed when their hash is right."""

from __future__ import annotations

import hashlib
import zlib

from ...errors import StoreCorrupt

# Below this a page holds several rows either way, and the time is lost.
_LEAST_BYTES = 512
# An eighth less is worth the time it takes to unpack.
_WORTH = 7 / 8


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
