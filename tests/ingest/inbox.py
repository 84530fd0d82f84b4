"""A receiver in this process, driven as an ASGI server drives it, one event at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import apsw

from fencepost import App, Context, Message, Store, connect
from fencepost.ingest.web.receiver import Receiver

from ..processes import PATIENCE_SECONDS
from .vectors import Headers, hex_hmac

T = TypeVar("T")
Event = MutableMapping[str, Any]

SECRET = "It's a Secret to Everybody"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)


class Inbox:
    """A receiver between its startup and its shutdown; every request takes a loop turn of its own.

    `inbox.post(...)` is one request, answered. Tests that need several at once make
    coroutines with `inbox.request(...)` and run them with `inbox.run(...)`.
    """

    def __init__(self, app: App, **options: Callable[[], None]) -> None:
        connect(app.store).close()  # as the supervisor does before it starts a receiver
        self.receiver = Receiver(app, **options)
        self._runner = asyncio.Runner()
        self._lifespan: asyncio.Queue[Event] = asyncio.Queue()
        self._said: asyncio.Queue[Event] = asyncio.Queue()

    def __enter__(self) -> Self:
        self.run(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run(self._stop())
        self._runner.close()

    def run(self, work: Awaitable[T]) -> T:
        async def wrapped() -> T:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await work

        return self._runner.run(wrapped())

    def get(self, path: str, *, method: str = "GET") -> Answer:
        return self.run(self.request(b"", {}, path=path, method=method))

    def post(self, body: bytes | Sequence[bytes], headers: Headers, **options: Any) -> Answer:
        return self.run(self.request(body, headers, **options))

    async def request(
        self,
        body: bytes | Sequence[bytes],
        headers: Headers,
        *,
        path: str = "/in/github",
        method: str = "POST",
        whole: bool = True,
        at_answer: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send a request in one or several chunks.

        Args:
            whole: False closes the connection where the next chunk was to come.
            at_answer: Called when the first byte of the answer is handed to the server.
        """
        chunks = [body] if isinstance(body, bytes) else list(body)
        events: list[Event] = [
            {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
        ]
        if whole:
            events[-1]["more_body"] = False
        sent: list[Event] = []

        async def receive() -> Event:
            return events.pop(0) if events else {"type": "http.disconnect"}

        async def send(event: Event) -> None:
            if not sent:
                at_answer()
            sent.append(event)

        pairs = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        scope = {"type": "http", "method": method, "path": path, "headers": pairs}
        await self.receiver(scope, receive, send)
        start, *rest = sent
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], b"".join(part["body"] for part in rest), answered)

    async def _start(self) -> None:
        scope: Event = {"type": "lifespan"}
        self._living = asyncio.create_task(self.receiver(scope, self._lifespan.get, self._said.put))
        await self._lifespan.put({"type": "lifespan.startup"})
        said = asyncio.create_task(self._said.get())
        await asyncio.wait([said, self._living], return_when=asyncio.FIRST_COMPLETED)
        if not said.done():
            said.cancel()
            await self._living  # it raises what kept the receiver from starting
        assert said.result()["type"] == "lifespan.startup.complete"

    async def _stop(self) -> None:
        await self._lifespan.put({"type": "lifespan.shutdown"})
        await self._living
        assert (await self._said.get())["type"] == "lifespan.shutdown.complete"


def github_app(path: Path, **options: Any) -> App:
    """Return an app with a GitHub source and one handler for all of it."""
    app = App(str(path))
    app.source("github", scheme="github", secret=SECRET, **options)
    app.on("github", name="note")(nothing)
    return app


def nothing(message: Message, ctx: Context) -> None:
    """Handle nothing: no worker runs here."""


def github(
    body: bytes = b"{}", *, key: str | None = "", event: str = "push", secret: str = SECRET
) -> Headers:
    """Return the headers that GitHub sends with a body; a key of its own unless told which."""
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-hub-signature-256": "sha256=" + hex_hmac(secret, body),
    }
    if key is not None:
        headers["x-github-delivery"] = key or str(uuid.uuid4())
    return headers


def stored(path: Path) -> int:
    """Count the messages in a store, whether anybody handles them or not."""
    with connect(str(path)) as store, store.transaction() as tx:
        return int(tx.execute("select count(*) from fp_message")[0][0])


def headers_stored(store: Store) -> dict[str, str]:
    """Return the headers of the newest delivery's message."""
    content = store.content(store.deliveries()[0].id)
    assert content is not None
    return dict(content.headers)


@contextlib.contextmanager
def counted_commits(sync: Callable[[], object] = bool) -> Iterator[list[str]]:
    """Note the COMMIT of every database connection that is opened in this block.

    What `sync` does is a part of it, as a slow disk would be.
    """
    commits: list[str] = []

    def note(event: dict[str, Any]) -> None:
        if event["sql"] == "commit":
            commits.append(event["sql"])
            sync()

    def watch(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, note)

    apsw.connection_hooks.append(watch)
    try:
        yield commits
    finally:
        apsw.connection_hooks.remove(watch)
