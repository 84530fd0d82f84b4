"""The ways of a webhook into an app, each in this process and driven as its server drives it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fencepost import App

from .inbox import Inbox
from .listening import listening
from .vectors import Headers

Event = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a sender sees, but for what belongs to the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Post = Callable[[str, bytes, Headers], Answered]

_OF_THE_CONNECTION = {"content-length", "connection", "date"}


def _answered(status: int, headers: dict[str, str], body: bytes) -> Answered:
    kept = {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION}
    return Answered(status, kept, body)


@contextmanager
def receiver(app: App) -> Iterator[Post]:
    """POST to the receiver."""
    with Inbox(app) as inbox:

        def post(source: str, body: bytes, headers: Headers) -> Answered:
            answer = inbox.post(body, headers, path=f"/in/{source}")
            return _answered(answer.status, answer.headers, answer.body)

        yield post


@contextmanager
def accept(app: App) -> Iterator[Post]:
    """Call `accept`."""

    def post(source: str, body: bytes, headers: Headers) -> Answered:
        answer = app.accept(source, headers, body)
        return _answered(answer.status, dict(answer.headers), answer.body)

    yield post
    app.close()


@contextmanager
def accept_async(app: App) -> Iterator[Post]:
    """Call `accept_async`, each time in an event loop of its own."""

    def post(source: str, body: bytes, headers: Headers) -> Answered:
        answer = asyncio.run(app.accept_async(source, headers, body))
        return _answered(answer.status, dict(answer.headers), answer.body)

    yield post
    app.close()


@contextmanager
def asgi(app: App, **scope: Any) -> Iterator[Post]:
    """POST to the ASGI application, of whose lifespan nobody tells."""
    mounted = app.asgi()
    yield lambda source, body, headers: post_asgi(mounted, f"/in/{source}", body, headers, **scope)
    app.close()


@contextmanager
def wsgi(app: App, **environ: Any) -> Iterator[Post]:
    """POST to the WSGI application."""
    mounted = app.wsgi()
    yield lambda source, body, headers: call_wsgi(
        mounted, f"/in/{source}", body, headers, **environ
    )
    app.close()


@contextmanager
def socket(app: App) -> Iterator[Post]:
    """POST to the receiver's server, by a connection of its own."""
    with listening(app) as server:

        def post(source: str, body: bytes, headers: Headers) -> Answered:
            with contextlib.closing(server.connect()) as connection:
                connection.request("POST", f"/in/{source}", body, headers)
                answer = connection.getresponse()
                named = {name.lower(): value for name, value in answer.getheaders()}
                return _answered(answer.status, named, answer.read())

        yield post


WAYS = {
    "receiver": receiver,
    "accept": accept,
    "accept_async": accept_async,
    "asgi": asgi,
    "wsgi": wsgi,
    "socket": socket,
}


def post_asgi(
    application: Any, path: str, body: bytes, headers: Headers, method: str = "POST", **scope: Any
) -> Answered:
    """Send one request to an ASGI application; `scope` is beside what is in every one."""
    sent: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": body}

    async def send(event: Event) -> None:
        sent.append(event)

    request = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        **scope,
    }
    asyncio.run(application(request, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return _answered(sent[0]["status"], answered, sent[1]["body"])


def call_wsgi(
    application: Any,
    path: str,
    body: bytes,
    headers: Headers,
    method: str = "POST",
    **environ: Any,
) -> Answered:
    """Send one request to a WSGI application; `environ` is beside what is in every one."""
    started: list[Any] = []
    plain = {name.upper().replace("-", "_"): value for name, value in headers.items()}
    request = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{
            name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}": value
            for name, value in plain.items()
        },
        **environ,
    }
    parts = application(request, lambda *start: started.extend(start))
    return _answered(int(started[0].split()[0]), dict(started[1]), b"".join(parts))
