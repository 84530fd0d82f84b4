"""A receiver that misbehaves: before its app has stored a webhook, after it has, or in its answer."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ...app import App, Context
from ...store import Message
from ..harness.child_processes import Me
from .sender import SECRET

HANDLER = "told"
GONE = b'"gone-'

EFFECTS = "create table if not exists effects (key text)"

# A signature must be this new, in seconds.
_TOLERANCE = 6.0
# The first attempts at one in so many fail, until a signature of the first is too old.
_LATE_EVERY = 10
_LATE_FAILURES = 4
_WELL = 0.6
_MOST_FAILURES = 4


def make_app() -> App:
    """Return the app of the receiver, for its front and for its pool."""
    app = App("inbox.db")
    app.source("sender", scheme="standard", secret=SECRET, tolerance=_TOLERANCE)

    @app.on("sender", name=HANDLER, max_attempts=1_000_000, max_crashes=1_000_000)
    def told(message: Message, ctx: Context) -> None:
        """Note the effect, in the transaction of the ack."""
        with ctx.transaction() as tx:
            tx.execute("insert into effects values (?)", (message.json()["key"],))

    return app


def serve(me: Me, folder: Path, address: str, ports: list[int]) -> None:
    """Answer at these ports until killed."""
    os.chdir(folder)
    front = _Front(make_app(), me.random, folder)
    listening = [_listen(address, port) for port in ports]
    for each in listening:
        threading.Thread(target=front.accept, args=(each,), daemon=True).start()
    me.ready()
    me.wait()


def trap(me: Me, folder: Path, address: str) -> None:
    """Listen where nothing may arrive, and note each connection."""
    with socket.create_server((address, 0)) as listening:
        me.ready(port=listening.getsockname()[1])
        while True:
            connection, _ = listening.accept()
            connection.close()
            (folder / "trapped").touch()


class _Front:
    def __init__(self, app: App, chance: random.Random, folder: Path) -> None:
        self._app = app
        self._chance = chance
        self._folder = folder
        self._attempts: Counter[str] = Counter()

    def accept(self, listening: socket.socket) -> None:
        """Answer each connection in a thread of its own."""
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            connection.settimeout(30)
            headers, body = _read(connection)
            self._choose(headers["webhook-id"], body)(connection, headers, body)

    def _choose(self, id: str, body: bytes) -> Callable[..., None]:
        self._attempts[id] += 1
        if GONE in body:
            return _saying(410)
        if int(id[-4:], 16) % _LATE_EVERY == 0 and self._attempts[id] <= _LATE_FAILURES:
            return _saying(500)
        if self._attempts[id] > _MOST_FAILURES or self._chance.random() < _WELL:
            return self._store
        return self._chance.choice(
            [
                *(_saying(429, "retry-after: 1"), _saying(503), _saying(500), _saying(404)),
                *(_saying(307, "location: /again"), _saying(302, "location: /")),
                *(_reset, _stall, self._store_and_reset, self._store_and_stall),
            ]
        )

    def _store(self, connection: socket.socket, headers: dict[str, str], body: bytes) -> None:
        said = self._app.accept("sender", headers, body)
        if said.status == 401:
            (self._folder / "refused").touch()
        _saying(said.status)(connection)

    def _store_and_reset(self, connection: socket.socket, *request: object) -> None:
        self._app.accept("sender", *request)  # type: ignore[arg-type]
        _reset(connection)

    def _store_and_stall(self, connection: socket.socket, *request: object) -> None:
        self._app.accept("sender", *request)  # type: ignore[arg-type]
        _stall(connection)


def _saying(status: int, header: str = "x: y") -> Callable[..., None]:
    head = f"HTTP/1.1 {status} X\r\n{header}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

    def answer(connection: socket.socket, *request: object) -> None:
        connection.sendall(head.encode())

    return answer


def _reset(connection: socket.socket, *request: object) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _stall(connection: socket.socket, *request: object) -> None:
    time.sleep(5)


def _listen(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), backlog=512)


def _read(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, body = data.split(b"\r\n\r\n", 1)
    pairs = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
    headers = {name.lower(): value for name, _, value in pairs}
    while len(body) < int(headers["content-length"]):
        body += _more(connection)
    return headers, body


def _more(connection: socket.socket) -> bytes:
    if not (data := connection.recv(65536)):
        raise ConnectionError("it hung up")
    return data
