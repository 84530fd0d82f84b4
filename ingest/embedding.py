"""The app within a program of one's own: a request handed to it, or the app mounted."""

from __future__ import annotations

from ..app.interfaces import ReceiverApp
from ..app.source import Source
from ..schemes.request import Request
from ..store.errors import InvalidInput
from .accept import accept, accept_async, no_source
from .answer import Answer
from .headers import HeadersLike, pairs
from .lazy_store import LazyStore
from .refusals import refusals
from .web.asgi import Asgi
from .web.wsgi import Wsgi

Bytes = bytes | bytearray | memoryview


class Embedded:
    """The receiver of an app in this process; see the methods of `App`.

    Each process opens the store at the first request, and closes it at its exit. A request
    waits for a busy store at most 1.2 s, because senders do not wait longer.
    """

    def __init__(self, app: ReceiverApp) -> None:
        self._app = app
        self._lazy_store = LazyStore(app)

    def accept(self, source: str, headers: HeadersLike, body: Bytes) -> Answer:
        """Store a webhook and return the answer."""
        found = self._found(source, headers, body)
        if isinstance(found, Answer):
            return found
        return accept(self._app, self._lazy_store, *found)

    async def accept_async(self, source: str, headers: HeadersLike, body: Bytes) -> Answer:
        """Do what `accept` does; calls at the same time share a transaction."""
        found = self._found(source, headers, body)
        if isinstance(found, Answer):
            return found
        return await accept_async(self._app, self._lazy_store, *found)

    def asgi(self) -> Asgi:
        """Return an ASGI application to mount."""
        return Asgi(self._app, self._lazy_store)

    def wsgi(self) -> Wsgi:
        """Return a WSGI application to mount."""
        return Wsgi(self._app, self._lazy_store)

    def close(self) -> None:
        """Close the store, if it is open in this process; the next request opens it again."""
        self._lazy_store.close()

    def _found(
        self, source: str, headers: HeadersLike, body: Bytes
    ) -> tuple[Source, Request] | Answer:
        if not isinstance(body, bytes | bytearray | memoryview):
            raise InvalidInput(
                f"the body must be bytes as they came, not {type(body).__name__}: "
                "the signature is over its bytes",
                operation="accept",
            )
        request = Request(pairs(headers), bytes(body))
        declared = self._app.sources.get(source)
        return refusals.note(None, no_source()) if declared is None else (declared, request)
