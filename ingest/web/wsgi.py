"""The WSGI application, mounted or run as the root."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from ...app.interfaces import ReceiverApp
from ...app.source import Source
from ...schemes.request import Request
from ...store.errors import FencepostError
from ..accept import accept, too_large
from ..answer import Answer, document, error, unavailable
from ..headers import pairs
from ..lazy_store import LazyStore
from ..refusals import refusals
from ..resume import MOST_BODY, private, resume
from .paths import READY, Resume, route
from .reading import TooLarge, Unfinished, read_stream

Environment = dict[str, Any]

# Headers whose names PEP 3333 gives no HTTP_ prefix.
_UNPREFIXED = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Wsgi:
    """POST /in/<source>, GET /healthz, GET /readyz, wherever it is mounted.

    Each process opens the store at its first request.
    """

    def __init__(self, app: ReceiverApp, lazy_store: LazyStore) -> None:
        self._app = app
        self._lazy_store = lazy_store

    def __call__(
        self, environ: Environment, start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        answer = self._answer(environ)
        start_response(
            f"{answer.status} {HTTPStatus(answer.status).phrase}",
            [("content-length", str(len(answer.body))), *answer.headers.items()],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: Environment) -> Answer:
        found = route(
            self._app.sources,
            environ["REQUEST_METHOD"],
            _text(environ.get("PATH_INFO", "")),
            mounted=True,
        )
        if isinstance(found, Answer):
            return refusals.note(None, found)
        if isinstance(found, str):
            return self._ready() if found == READY else document(200, {"ok": True})
        if isinstance(found, Resume):
            body = _body(environ, MOST_BODY, error(413, f"the body is over {MOST_BODY} bytes"))
            if isinstance(body, Answer):
                return refusals.note(None, private(body))
            return refusals.note(None, resume(self._lazy_store, found.token, body))
        return self._receive(found, environ)

    def _receive(self, source: Source, environ: Environment) -> Answer:
        body = _body(environ, source.max_body, too_large(source))
        if isinstance(body, Answer):
            return refusals.note(source.name, body)
        return accept(self._app, self._lazy_store, source, Request(_headers(environ), body))

    def _ready(self) -> Answer:
        try:
            self._lazy_store.open().engine.upkeep.ping()
        except FencepostError as failure:
            return unavailable(failure.code)
        return document(200, {"ok": True})


def _body(environ: Environment, most: int, over: Answer) -> bytes | Answer:
    """Return the body, or the answer to one that is not read; `over` is for one that is larger."""
    try:
        length = _length(environ)
        asks = "HTTP_EXPECT" in environ
        return read_stream(environ["wsgi.input"], length, most, asks=asks)
    except ValueError:
        return error(400, "Content-Length is not a number of bytes")
    except LookupError:
        return error(411, "Content-Length is needed")
    except TooLarge:
        return over
    except Unfinished as unfinished:
        return error(408, str(unfinished))


def _length(environ: Environment) -> int | None:
    """Return the length of the body; None when the stream ends with the body.

    Raises:
        ValueError: Content-Length is not a number.
        LookupError: There is no Content-Length, and the stream does not end with the body.
    """
    if text := environ.get("CONTENT_LENGTH", "").strip():
        if not (text.isascii() and text.isdigit()):
            raise ValueError(text)
        return int(text)
    if environ.get("wsgi.input_terminated"):
        return None
    if "HTTP_TRANSFER_ENCODING" in environ:
        raise LookupError
    return 0


def _headers(environ: Environment) -> list[tuple[bytes, bytes]]:
    """Return the headers; the server has joined repeated ones with a comma."""
    return pairs(
        (name.removeprefix("HTTP_").replace("_", "-"), value)
        for name, value in environ.items()
        if (name in _UNPREFIXED and value)
        or (name.startswith("HTTP_") and name.removeprefix("HTTP_") not in _UNPREFIXED)
    )


def _text(path: str) -> str:
    """Return a path as text: WSGI has its bytes, decoded as Latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")
