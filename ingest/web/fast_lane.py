"""The short way of an ordinary webhook: from the bytes of a connection to the committer and back."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ...app.source import Source
from ...schemes.request import Request
from ...store.errors import FencepostError
from ...store.types.messages.receipt import Receipt
from ..accept import answer_to, read, stored
from ..answer import Answer, error, unavailable
from ..committer import Outcome
from ..message_lines import Facts
from ..refusals import refusals
from .asgi import MOST_AT_ONCE
from .reading import BODY_SECONDS, BROKEN_OFF, TOO_LATE
from .receiver import Receiver
from .wire import Wire

_PATH = b"/in/"
_JSON = b"content-type: application/json\r\n"
_CLOSE = b"connection: close\r\n"

# A request with one of these takes the full way.
_UNUSUAL = {b"expect", b"transfer-encoding", b"upgrade"}


class FastLane(Wire):
    """Answers ordinary webhooks by itself, and passes every other request on to uvicorn.

    uvicorn makes a scope, a cycle, an event and a task for each request, which takes longer
    than to check its signature. A webhook is ordinary if it is a POST by HTTP/1.1 to the path
    of a source, with a Content-Length within the source's cap, when the store is open, the
    connection has nothing else under way, and the sender reads its answers. It gets the
    answer that it would get on the full way.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        found = self.config.app
        direct = not (self.root_path or self.access_log or self.limit_concurrency is not None)
        self._receiver = found if isinstance(found, Receiver) and direct else None
        self._exchange = _Exchange()
        self._usual = True  # nothing of _UNUSUAL so far
        self._source: Source | None = None  # of the ordinary request whose body is arriving
        self._chunks: list[bytes] = []
        self._facts: Facts | None = None  # of the message that waits for its commit
        self._idle_since: float | None = None  # on the loop's clock; None: a request has begun
        self._common: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if self._source is not None:
            refusals.note(self._end_body().name, error(408, BROKEN_OFF))
            self._leave()

    def data_ends(self) -> None:
        super().data_ends()
        if self._source is not None and self._too_late is None:
            self._too_late = self.loop.call_later(BODY_SECONDS, self._body_is_late)

    def on_message_begin(self) -> None:
        # What uvicorn does here follows in _take_the_full_way, for a request that takes it.
        self._head, self._in_head = 0, True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._usual = True

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        if name in _UNUSUAL:
            self._usual = False
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        source = self._ordinary()
        if source is None:
            self._take_the_full_way()
            return
        assert self._receiver is not None
        self._receiver.at_once += 1
        self._in_head, self._in_body = False, True
        self._stop_waiting()
        self._source = source
        self._exchange.begin(keep_alive=self.parser.should_keep_alive())
        self.cycle = cast(Any, self._exchange)

    def on_body(self, body: bytes) -> None:
        if self._source is None:
            super().on_body(body)
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        if self._source is None:
            super().on_message_complete()
            return
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        source = self._end_body()
        self._in_body = False
        try:
            self._accept(source, Request(self.headers, body))
        except BaseException as failure:  # noqa: BLE001 - it is the answer, as in uvicorn
            self._fail(failure)

    def on_response_complete(self) -> None:
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        # uvicorn has a timer for each pause, which takes as long as to check a signature. Here
        # one looks after all pauses of a connection.
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is not None:
            left = self._idle_since + self.timeout_keep_alive - self.loop.time()
            if left > 0:
                self._look_again(left)
            else:
                super().timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _look_again(self, seconds: float) -> None:
        again = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
        self.timeout_keep_alive_task = again

    def _ordinary(self) -> Source | None:
        """Return the source of an ordinary webhook; None for any other request."""
        receiver = self._receiver
        if receiver is None or not self._usual or not self.url.startswith(_PATH):
            return None
        # A source's name has none of the characters that a URL could have escaped, or that
        # would end its path, so a request with one of these finds no source.
        source = receiver.app.sources.get(self.url[len(_PATH) :].decode("latin-1"))
        if (
            source is None
            or receiver.app.matchings.responds(source.name)
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
            or self.transport.is_closing()
            or receiver.at_once >= MOST_AT_ONCE
            or not receiver.lazy_store.is_open
        ):
            return None
        for name, value in self.headers:
            if name == b"content-length":
                return source if value.isdigit() and int(value) <= source.max_body else None
        return None

    def _take_the_full_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _accept(self, source: Source, request: Request) -> None:
        """Hand a message to the committer, or answer what is not stored."""
        assert self._receiver is not None
        found = read(self._receiver.app, source, request)
        if isinstance(found, Answer):
            self._write(refusals.note(source.name, found))
            return
        committer = self._receiver.lazy_store.open_committer()
        if committer is None:  # it was closed since the headers came
            self._write(refusals.note(source.name, unavailable("the store cannot be used")))
            return
        self._facts = found.facts
        committer.add(found.draft, self._stored)

    def _stored(self, outcome: Outcome) -> None:
        """Answer a message, by what the store said."""
        assert self._receiver is not None
        assert self._facts is not None
        facts, self._facts = self._facts, None
        if isinstance(outcome, Receipt):
            body = stored(facts, outcome)
            self._send(200, _JSON if body else b"", body)
        elif isinstance(outcome, FencepostError):
            answer = answer_to(self._receiver.lazy_store, facts, outcome)
            self._write(refusals.note(facts.source, answer))
        else:
            self._fail(outcome)

    def _body_is_late(self) -> None:
        self._too_late = None
        source = self._end_body()
        self._exchange.keep_alive = False
        self._write(refusals.note(source.name, error(408, TOO_LATE)))

    def _fail(self, failure: BaseException) -> None:
        """Answer what is our fault as uvicorn does."""
        self.logger.error("Exception in ASGI application\n", exc_info=failure)
        self._exchange.keep_alive = False
        plain = b"content-type: text/plain; charset=utf-8\r\n"
        self._send(500, plain, b"Internal Server Error")

    def _write(self, answer: Answer) -> None:
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        self._send(answer.status, headers.encode("latin-1"), answer.body)

    def _send(self, status: int, headers: bytes, body: bytes) -> None:
        """Send an answer, unless the sender is gone, and let the next request begin."""
        self._leave()
        exchange = self._exchange
        exchange.response_complete = True
        if not self.transport.is_closing():
            given, common = self._common
            if given is not self.server_state.default_headers:  # new each second
                given = self.server_state.default_headers
                common = b"".join([b"%b: %b\r\n" % pair for pair in given])
                self._common = given, common
            self.transport.write(
                b"%b%bcontent-length: %d\r\n%b%b\r\n%b"
                % (
                    STATUS_LINE[status],
                    common,
                    len(body),
                    headers,
                    b"" if exchange.keep_alive else _CLOSE,
                    body,
                )
            )
            if not exchange.keep_alive:
                self.transport.close()
        self.on_response_complete()

    def _end_body(self) -> Source:
        source, self._source, self._chunks = self._source, None, []
        assert source is not None
        self._stop_waiting()
        return source

    def _leave(self) -> None:
        assert self._receiver is not None
        self._receiver.at_once -= 1


class _Exchange:
    """An ordinary request where uvicorn looks for a cycle: one for all those of a connection."""

    def __init__(self) -> None:
        self.message_event = asyncio.Event()
        self.begin(keep_alive=True)
        self.response_complete = True

    def begin(self, *, keep_alive: bool) -> None:
        """Be a request that has not been answered."""
        self.response_complete = False
        self.keep_alive = keep_alive
        self.disconnected = False
