"""The receiver's server in a thread of this process, and the bytes that it answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import uvicorn

from fencepost import App, connect
from fencepost.ingest.web.fast_lane import FastLane
from fencepost.ingest.web.receiver import Receiver
from fencepost.ingest.web.serve import configured, listen
from fencepost.ingest.web.wire import Wire

from ..processes import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Listening:
    """A running server."""

    port: int
    receiver: Receiver
    server: uvicorn.Server
    thread: threading.Thread

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def stop(self) -> None:
        """Do what SIGTERM does."""
        self.server.should_exit = True

    def answers(self, segments: Sequence[bytes], count: int) -> list[Said]:
        """Send segments over one connection; return so many answers, or those before its end."""
        with self.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for segment in segments:
                connection.sendall(segment)
            return list(read_answers(connection, count))


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, but for its date."""

    status: bytes
    headers: dict[str, str]
    body: bytes


@contextlib.contextmanager
def listening(
    app: App,
    connections: type[Wire] = FastLane,
    on_ready: Callable[[], None] = lambda: None,
) -> Iterator[Listening]:
    """Run a server until the block ends; call `on_ready` in its loop before the first request."""
    connect(app.store).close()
    ready = threading.Event()

    def started() -> None:
        on_ready()
        ready.set()

    receiver = Receiver(app, on_ready=started)
    server = uvicorn.Server(configured(receiver, connections))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(PATIENCE_SECONDS)
            yield Listening(listener.getsockname()[1], receiver, server, thread)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def read_answers(connection: socket.socket, count: int) -> Iterator[Said]:
    """Read so many answers, or those before the end of the connection."""
    with contextlib.suppress(ConnectionError), connection.makefile("rb") as stream:
        for _ in range(count):
            status = stream.readline()
            if not status:
                return
            headers = {}
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name] = value.strip()
            headers.pop("date", None)
            yield Said(status, headers, stream.read(int(headers.get("content-length", "0"))))
