"""The receiver: an ASGI callable that lets a signed request in once, and says so once it is stored."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from ..store import Message, Store, connect
from ..store.errors import FencepostError, LimitExceeded, QueueFull, StoreBusy
from ..store.message import Draft
from ..workers.handler import set_caps
from ..workers.log import log
from ..workers.outage import patiently
from .app import App, Source
from .committer import Committer
from .reading import Receive, Scope, Send, TooLarge, Unfinished, read_body
from .request import Event, Handshake, Malformed, Request, Verdict

# The strictest sender waits 3 s for an answer (docs.slack.dev/apis/events-api), and a request
# may have to sit through two commits: the one under way, and its own.
_BUSY_SECONDS = 1.2

_MOST_AT_ONCE = 1000

# Never kept: they are the sender's credentials, not the message.
_SECRET_HEADERS = {b"authorization", b"cookie", b"proxy-authorization"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered."""

    status: int
    body: bytes = b""
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Receiver:
    """POST /in/<source>, GET /healthz, GET /readyz.

    Any ASGI server that speaks the lifespan protocol can run it.

    Args:
        create: False refuses to make a store where there is none.
        on_ready: Called once requests can be answered.
        on_waiting: Called when the store cannot be used yet.
    """

    def __init__(
        self,
        app: App,
        *,
        create: bool = True,
        on_ready: Callable[[], None] = lambda: None,
        on_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._create = create
        self._on_ready = on_ready
        self._on_waiting = on_waiting
        self._store: Store | None = None
        self._committer: Committer | None = None
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await _send(send, await self._answer(scope, receive))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        options = {**self._app.store_options, "busy_timeout": _BUSY_SECONDS}
        open_store = partial(connect, self._app.store, create=self._create, **options)
        waiting = self._on_waiting
        self._store = await asyncio.to_thread(patiently, open_store, waiting)
        caps = partial(set_caps, self._store, self._app.handlers.values())
        await asyncio.to_thread(patiently, caps, waiting)
        self._committer = Committer(self._store.engine)
        await send({"type": "lifespan.startup.complete"})
        self._on_ready()
        await receive()
        await self._committer.close()
        self._store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if path in ("/healthz", "/readyz"):
            if method not in ("GET", "HEAD"):
                return _wrong_method(b"GET, HEAD")
            return await self._ready() if path == "/readyz" else Answer(200, b'{"ok": true}')
        prefix, slash, name = path.rpartition("/")
        source = self._app.sources.get(name) if prefix == "/in" and slash else None
        if source is None:
            return _error(404, "no such source" if prefix == "/in" else "not found")
        if method != "POST":
            return _wrong_method(b"POST")
        if self._at_once >= _MOST_AT_ONCE:
            return _unavailable("too many requests at once")
        self._at_once += 1
        try:
            return await self._receive(source, scope, receive)
        finally:
            self._at_once -= 1

    async def _receive(self, source: Source, scope: Scope, receive: Receive) -> Answer:
        try:
            body = await read_body(scope, receive, source.max_body)
        except TooLarge:
            return _error(413, f"the body is over {source.max_body} bytes", close=True)
        except Unfinished as error:
            return _error(408, str(error), close=True)
        request = Request(scope["headers"], body)
        if (early := source.scheme.early(request)) is not None:
            return Answer(200, early.body, early.content_type)
        verdict = source.scheme.verify(request, time.time())
        if verdict is not Verdict.GENUINE:
            log.warning("refused", source=source.name, signature=verdict.value)
            return _error(401, "signature not accepted")
        try:
            read = source.scheme.read(request)
        except Malformed as error:
            return _error(400, str(error))
        if isinstance(read, Handshake):
            return Answer(200, read.body, read.content_type)
        if read.key is None and source.require_key:
            return _error(400, "no usable key that tells this message from others")
        return await self._store_it(source, request, read)

    async def _store_it(self, source: Source, request: Request, event: Event) -> Answer:
        assert self._committer is not None
        try:
            receipt = await self._committer.commit(self._draft(source, request, event))
        except StoreBusy:
            return _unavailable("the store is busy")
        except QueueFull as error:
            return _unavailable(f"queue {error.queue} is full", error.retry_after)
        except LimitExceeded as error:
            return _error(413, str(error))
        except FencepostError as error:
            # With an unknown outcome too: the sender tries again, under the same key.
            log.error("not stored", source=source.name, code=error.code, error=str(error))
            return _unavailable("the store cannot take it")
        if receipt.status == "conflict":
            log.warning(
                "same key, other body: the first is kept", source=source.name, key=event.key
            )
        if event.silent:
            return Answer(200)
        answer = {"id": receipt.message_id, "status": receipt.status}
        return Answer(200, msgspec.json.encode(answer))

    def _draft(self, source: Source, request: Request, event: Event) -> Draft:
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in request.headers
            if name not in _SECRET_HEADERS
        }
        message = Message(
            0, source.name, event.key, event.event, headers, request.body, time.time()
        )
        return Draft(
            scope=source.name,
            source=source.name,
            key=event.key,
            event=event.event,
            headers=headers,
            body=request.body,
            addresses=self._app.addresses(message),
            keep_ms=source.keep_ms,
        )

    async def _ready(self) -> Answer:
        assert self._store is not None
        try:
            # In a thread: while a commit waits for the write lock, a read waits for the commit.
            await asyncio.to_thread(self._store.engine.ping)
        except FencepostError as error:
            return _unavailable(error.code)
        return Answer(200, b'{"ok": true}')


async def _send(send: Send, answer: Answer) -> None:
    headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
    if answer.body:
        headers.append((b"content-type", answer.content_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _error(status: int, why: str, *, close: bool = False) -> Answer:
    headers = ((b"connection", b"close"),) if close else ()
    return Answer(status, msgspec.json.encode({"error": why}), headers=headers)


def _wrong_method(allowed: bytes) -> Answer:
    answer = _error(405, "method not allowed")
    return Answer(answer.status, answer.body, headers=((b"allow", allowed),))


def _unavailable(why: str, retry_after: float = 1) -> Answer:
    answer = _error(503, why)
    seconds = b"%d" % math.ceil(retry_after)
    return Answer(answer.status, answer.body, headers=((b"retry-after", seconds),))
