"""Answers to waiting handlers by HTTP: POST /resume/<token>."""

from __future__ import annotations

from dataclasses import replace

from ..store.errors import FencepostError, InvalidInput, LimitExceeded
from ..store.types.content.json_value import decode
from ..store.waiting.answers import MOST_BYTES
from .answer import Answer, Headers, document, error, unavailable
from .lazy_store import LazyStore

# Twice: the canonical form, which is what is measured, has no spaces.
MOST_BODY = 2 * MOST_BYTES

# The token is in the URL: nobody may keep or pass it on.
_PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def resume(lazy_store: LazyStore, token: str, body: bytes) -> Answer:
    """Answer a request: 200, or 404, 409 or 410 when the answer does not count."""
    return private(_resume(lazy_store, token, body))


def private(answer: Answer) -> Answer:
    """Return the answer with headers for a URL that is a secret."""
    return replace(answer, headers=Headers({**answer.headers, **_PRIVATE}))


def _resume(lazy_store: LazyStore, token: str, body: bytes) -> Answer:
    try:
        value = decode(body) if body.strip() else None
    except ValueError:
        return error(400, "the body is not JSON")
    try:
        said = lazy_store.open().resume(token, value)
    except LimitExceeded:
        return error(413, f"the answer is over {MOST_BYTES} bytes")
    except InvalidInput as refused:
        return error(400, str(refused))
    except FencepostError:
        return unavailable("the store cannot be used")
    match said:
        case "accepted" | "duplicate":
            return document(200, {"status": said})
        case "conflict":
            return error(409, "another answer was first")
        case "gone":
            return error(410, "it is too late for an answer")
        case _:
            return error(404, "not found")
