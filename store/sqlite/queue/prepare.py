"""What can be computed of a message before the write lock is taken."""

from __future__ import annotations

import hashlib

import msgspec

from ...types.message import Draft
from . import payload


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A draft, and what is stored of it."""

    draft: Draft
    headers: str
    sha256: bytes
    plain_sha256: bytes | None
    body: bytes
    compressed: int


def prepare(draft: Draft) -> Prepared:
    """Return the draft packed and hashed."""
    body, compressed = payload.pack(draft.body)
    return Prepared(
        draft,
        payload.headers_text(draft.headers),
        hashlib.sha256(draft.body).digest(),
        None if draft.plain is None else hashlib.sha256(draft.plain).digest(),
        body,
        compressed,
    )
