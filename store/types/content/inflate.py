"""Decompressing a body: gzip and deflate, with a size limit."""

from __future__ import annotations

import zlib

# Each coding of a list is a decompression of its own, and one member of a gzip file too.
_MOST_CODINGS = 4
_MOST_MEMBERS = 100

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS

_KNOWN = {"gzip", "x-gzip", "deflate"}


class Undecodable(ValueError):
    """A body is not what its Content-Encoding says."""


class UnknownCoding(Undecodable):
    """A body is encoded in a way that is not undone here."""


class TooLong(Undecodable):
    """A body is longer than allowed once its Content-Encoding is undone."""


def inflated(body: bytes, encoding: str, most: int) -> bytes:
    """Return the body with the codings of a Content-Encoding header undone.

    Raises:
        UnknownCoding: One of them is not gzip, deflate or identity.
        TooLong: More than `most` bytes came of one; no more than those were written out.
        Undecodable: It is cut short, damaged, or followed by something else.
    """
    codings = [coding.strip().lower() for coding in encoding.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if unknown := next((coding for coding in codings if coding not in _KNOWN), None):
        raise UnknownCoding(f"Content-Encoding {unknown[:40]!r} is not gzip or deflate.")
    if len(codings) > _MOST_CODINGS:
        raise Undecodable(f"Content-Encoding names more than {_MOST_CODINGS} codings.")
    for coding in reversed(codings):
        body = _deflate(body, most) if coding == "deflate" else _gzip(body, most)
    return body


def _gzip(body: bytes, most: int) -> bytes:
    parts: list[bytes] = []
    for _ in range(_MOST_MEMBERS):
        part, body = _stream(body, _GZIP, most - sum(map(len, parts)))
        parts.append(part)
        if not body:
            return b"".join(parts)
    raise Undecodable(f"The gzip body has more than {_MOST_MEMBERS} members.")


def _deflate(body: bytes, most: int) -> bytes:
    """Undo deflate in zlib's wrapping, which is the standard, or without one, as some send it."""
    try:
        plain, rest = _stream(body, _ZLIB, most)
    except TooLong:
        raise
    except Undecodable:
        plain, rest = _stream(body, _RAW, most)
    if rest:
        raise Undecodable("Something follows the end of the deflate body.")
    return plain


def _stream(body: bytes, kind: int, most: int) -> tuple[bytes, bytes]:
    """Return what one compressed stream holds, and the bytes after its end."""
    stream = zlib.decompressobj(kind)
    try:
        plain = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise Undecodable("The body is not in its Content-Encoding.") from error
    if len(plain) > most:
        raise TooLong(f"The body is over {most} bytes once decompressed.")
    if not stream.eof:
        raise Undecodable("The compressed body is cut short.")
    return plain, stream.unused_data
