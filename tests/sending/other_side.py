"""The other side of a webhook: a server on the loopback that answers as a test wants."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

# What becomes of a request: bytes are sent as they are, then the connection is closed.
Behaviour = Callable[[socket.socket, "Request"], None]


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class OtherSide:
    """A server; `behave` may be replaced at any time.

    Attributes:
        requests: Those that came whole.
        connections: How many were accepted.
    """

    behave: Behaviour
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/hook"

    def serve(self, listening: socket.socket) -> None:
        """Answer until the socket is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(60)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            request = _read(connection)
            self.requests.append(request)
            self.behave(connection, request)


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer with a status."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return lambda connection, request: connection.sendall(head + body)


def raw(*parts: bytes, pause: float = 0.0) -> Behaviour:
    """Answer with bytes."""

    def behave(connection: socket.socket, request: Request) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return behave


def reset(connection: socket.socket, request: Request) -> None:
    """Cut the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def other_side(
    behave: Behaviour | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[OtherSide]:
    """Run a server until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
        side = OtherSide(behave or answer(200, b"thanks"), listening.getsockname()[1], tls=tls)
        thread = threading.Thread(target=side.serve, args=(listening,), daemon=True)
        thread.start()
        yield side
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def _read(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, body = data.split(b"\r\n\r\n", 1)
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(connection)
    return Request(line, headers, body)


def _more(connection: socket.socket) -> bytes:
    if not (data := connection.recv(65536)):
        raise ConnectionError("it hung up")
    return data
