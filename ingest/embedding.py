"""The app within a program of one's own: a request handed to it, or the app mounted."""

from __future__ import annotations

from typing import cast

from ..store.errors import InvalidInput
from ..store.naming import verbs
from .accept import accept, accept_async, no_source
from .answer import Answer
from .declared import Declared
from .headers import Given, pairs
from .opened import Opened
from .refusals import refusals
from .request import Request
from .source import Source
from .web.asgi import Asgi
from .web.wsgi import Wsgi

Bytes = bytes | bytearray | memoryview


@verbs
class Embedding:
    """What an app offers to a web framework.

    The store is opened when it is first needed, in each process for itself, and closed when
    the process exits. A busy store is waited for no longer than senders wait, 1.2 s.
    """

    _opened: Opened

    def accept(self, source: str, headers: Given, body: Bytes) -> Answer:
        """Answer a webhook as the receiver would answer it on POST /in/<source>.

        From a coroutine call `accept_async`: this one waits for the disk.

        Args:
            headers: Of the request: a mapping, in whatever case, or pairs.
            body: As it came: the signature is over its bytes.

        Raises:
            InvalidInput: These are no headers, or the body is not bytes. Whatever is wrong
                with the request or the store is an answer.
        """
        found = self._found(source, headers, body)
        if isinstance(found, Answer):
            return found
        return accept(self._declared, self._opened, *found)

    async def accept_async(self, source: str, headers: Given, body: Bytes) -> Answer:
        """Answer as `accept` does; calls of one moment share a transaction."""
        found = self._found(source, headers, body)
        if isinstance(found, Answer):
            return found
        return await accept_async(self._declared, self._opened, *found)

    def asgi(self) -> Asgi:
        """Return an ASGI application to mount: POST <mount>/in/<source>.

        It answers <mount>/healthz and <mount>/readyz too.
        """
        return Asgi(self._declared, self._opened)

    def wsgi(self) -> Wsgi:
        """Return a WSGI application to mount: POST <mount>/in/<source>.

        It answers <mount>/healthz and <mount>/readyz too.
        """
        return Wsgi(self._declared, self._opened)

    def close(self) -> None:
        """Close the store that the ways in have opened in this process, if any.

        The next request opens it anew.
        """
        self._opened.close()

    @property
    def _declared(self) -> Declared:
        return cast(Declared, self)

    def _found(self, source: str, headers: Given, body: Bytes) -> tuple[Source, Request] | Answer:
        if not isinstance(body, bytes | bytearray | memoryview):
            raise InvalidInput(
                f"the body must be bytes as they came, not {type(body).__name__}: "
                "the signature is over its bytes",
                operation="accept",
            )
        request = Request(pairs(headers), bytes(body))
        declared = self._declared.sources.get(source)
        return refusals.note(None, no_source()) if declared is None else (declared, request)
