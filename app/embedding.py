"""An app inside another web application: accept(), ASGI and WSGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store.naming import verbs

if TYPE_CHECKING:
    from ..ingest.answer import Answer
    from ..ingest.embedding import Bytes
    from ..ingest.headers import HeadersLike
    from ..ingest.web.asgi import Asgi
    from ..ingest.web.wsgi import Wsgi
    from .interfaces import ReceiverApp


@verbs
class Embeddable:
    """Hands requests over to the receiver, in this process."""

    def __init__(self: ReceiverApp) -> None:
        # Not at a first `accept`, which may be called in a thread after the main one has ended.
        from ..ingest.embedding import Embedded

        self._embedded = Embedded(self)

    def accept(self, source: str, headers: HeadersLike, body: Bytes) -> Answer:
        """Store a webhook and return the answer that the receiver would give it.

        Use it where your own web application receives the request. In a coroutine, await
        `accept_async` instead, because this call waits for the disk.

        Args:
            source: The source's name.
            headers: The request's headers: a mapping, with names in any case, or pairs.
            body: The bytes as they came, because the signature is over these bytes.

        Raises:
            InvalidInput: The headers or the body have the wrong type. Every other error, in
                the request or the store, is an answer with its status.
        """
        return self._embedded.accept(source, headers, body)

    async def accept_async(self, source: str, headers: HeadersLike, body: Bytes) -> Answer:
        """Do what `accept` does, in a coroutine; calls at the same time share a commit."""
        return await self._embedded.accept_async(source, headers, body)

    def asgi(self) -> Asgi:
        """Return an ASGI application to mount in your own.

        It answers POST `<mount>/in/<source>`, GET `<mount>/healthz` and GET `<mount>/readyz`.
        """
        return self._embedded.asgi()

    def wsgi(self) -> Wsgi:
        """Return a WSGI application to mount in your own.

        It answers POST `<mount>/in/<source>`, GET `<mount>/healthz` and GET `<mount>/readyz`.
        """
        return self._embedded.wsgi()

    def close(self) -> None:
        """Close the store that `accept`, `asgi` or `wsgi` has opened in this process.

        The next request opens it again.
        """
        self._embedded.close()
