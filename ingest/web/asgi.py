"""The ASGI application, mounted or run by the receiver."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ...app.interfaces import ReceiverApp
from ...app.source import Source
from ...schemes.request import Request
from ...store.errors import FencepostError, StoreBusy
from ..accept import begin_async, too_large
from ..answer import Answer, Headers, document, error, unavailable
from ..held import HeldRequest
from ..lazy_store import LazyStore
from ..refusals import refusals
from ..resume import MOST_BODY, private, resume
from .paths import READY, Resume, route
from .reading import Receive, Scope, Send, TooLarge, Unfinished, read_body

MOST_AT_ONCE = 1000


class Asgi:
    """POST /in/<source>, POST /resume/<token>, GET /healthz, GET /readyz, wherever it is mounted.

    The store is opened at the lifespan's startup, or, without a lifespan, at the first request.

    Attributes:
        at_once: How many webhooks have been begun and neither answered nor held, at most
            MOST_AT_ONCE.
    """

    def __init__(self, app: ReceiverApp, lazy_store: LazyStore, *, mounted: bool = True) -> None:
        self.app = app
        self.lazy_store = lazy_store
        self._mounted = mounted
        self.at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.run_lifespan(receive, send)
        elif scope["type"] == "http":
            await _send(scope, send, await self._answer(scope, receive))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})

    async def run_lifespan(self, receive: Receive, send: Send) -> None:
        """Open the store at startup, and close it at shutdown."""
        await receive()
        try:
            await asyncio.to_thread(self.lazy_store.open)
        except StoreBusy:
            pass  # the first request tries again
        except FencepostError as failure:
            await send({"type": "lifespan.startup.failed", "message": str(failure)})
            return
        await send({"type": "lifespan.startup.complete"})
        await self.shut_down(receive, send)

    async def shut_down(self, receive: Receive, send: Send) -> None:
        """Wait for the shutdown, store what is waiting, and close the store."""
        await receive()
        await self.lazy_store.finish()
        self.lazy_store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        sources, path = self.app.sources, _path(scope)
        found = route(sources, scope["method"], path, mounted=self._mounted)
        if isinstance(found, Answer):
            return refusals.note(None, found)
        if isinstance(found, str):
            return await self._ready() if found == READY else document(200, {"ok": True})
        name = None if isinstance(found, Resume) else found.name
        if self.at_once >= MOST_AT_ONCE:
            return refusals.note(name, unavailable("too many requests at once"))
        self.at_once += 1
        try:
            if isinstance(found, Resume):
                return await self._resume(found, scope, receive)
            answer = await self._receive(found, scope, receive)
        finally:
            self.at_once -= 1
        if isinstance(answer, Answer):
            return answer
        try:
            return await answer.answer()
        except asyncio.CancelledError:  # the server stops, and waits no longer
            return answer.holding.usual

    async def _receive(
        self, source: Source, scope: Scope, receive: Receive
    ) -> Answer | HeldRequest:
        try:
            body = await read_body(scope, receive, source.max_body)
        except TooLarge:
            return refusals.note(source.name, _closing(scope, too_large(source)))
        except Unfinished as unfinished:
            return refusals.note(source.name, _closing(scope, error(408, str(unfinished))))
        return await begin_async(self.app, self.lazy_store, source, Request(scope["headers"], body))

    async def _resume(self, found: Resume, scope: Scope, receive: Receive) -> Answer:
        try:
            body = await read_body(scope, receive, MOST_BODY)
        except TooLarge:
            answer = _closing(scope, private(error(413, f"the body is over {MOST_BODY} bytes")))
        except Unfinished as unfinished:
            answer = _closing(scope, private(error(408, str(unfinished))))
        else:
            # In a thread: it may wait for the write lock.
            answer = await asyncio.to_thread(resume, self.lazy_store, found.token, body)
        return refusals.note(None, answer)

    async def _ready(self) -> Answer:
        try:
            # In a thread: while a commit waits for the write lock, a read waits for the commit.
            await asyncio.to_thread(lambda: self.lazy_store.open().engine.upkeep.ping())
        except FencepostError as failure:
            return unavailable(failure.code)
        return document(200, {"ok": True})


def _path(scope: Scope) -> str:
    """Return the path as it was sent: Litestar adds a slash at a mount."""
    path: str = scope["path"]
    sent: bytes = scope.get("raw_path") or b"/"
    return path if sent.endswith(b"/") else path.removesuffix("/")


def _closing(scope: Scope, answer: Answer) -> Answer:
    """Tell the server to close the connection, because the rest of the body was not read."""
    if not scope.get("http_version", "1.1").startswith("1"):
        return answer  # HTTP/2 has no such header
    return replace(answer, headers=Headers({**answer.headers, "connection": "close"}))


async def _send(scope: Scope, send: Send, answer: Answer) -> None:
    headers = [
        (b"content-length", b"%d" % len(answer.body)),
        *((name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()),
    ]
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
