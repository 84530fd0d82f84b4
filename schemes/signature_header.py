"""Strict decoders for signature headers.

A lenient decoder reads the same signature from several spellings, so a request that was changed
on its way could still pass.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

Decode = Callable[[bytes, int], bytes | None]
Encode = Callable[[bytes], str]

_HEX = re.compile(rb"(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+")
_SECONDS = re.compile(rb"[0-9]{1,12}")


def from_hex(value: bytes, size: int) -> bytes | None:
    """Return the `size` bytes written in hex, all in lower or all in upper case."""
    if len(value) != 2 * size or not _HEX.fullmatch(value):
        return None
    return bytes.fromhex(value.decode("ascii"))


def from_base64(value: bytes, size: int | None = None) -> bytes | None:
    """Return the bytes written in padded base64; None if there are not `size` of them.

    Only the spelling that an encoder writes is read: the spare bits of the last letter are
    zero.
    """
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
    if base64.b64encode(decoded) != value or size not in (None, len(decoded)):
        return None
    return decoded


def to_base64(value: bytes) -> str:
    """Return bytes in padded base64."""
    return base64.b64encode(value).decode("ascii")


def from_seconds(value: bytes) -> int | None:
    """Return unix seconds written in 1 to 12 digits."""
    return int(value) if _SECONDS.fullmatch(value) else None
