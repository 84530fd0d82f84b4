"""The receiver process: uvicorn on the supervisor's socket."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from ...app.interfaces import ReceiverApp
from ...store.errors import InvalidInput
from .fast_lane import FastLane
from .receiver import Receiver
from .wire import Wire

_BACKLOG = 1024
_SHUTDOWN_SECONDS = 10


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    The supervisor holds it, so connections wait in its backlog while a dead receiver is
    replaced, and none is refused.

    Raises:
        InvalidInput: The address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InvalidInput(f"cannot listen on {host}:{port}: {error}") from error
    return listener


def url(listener: socket.socket) -> str:
    """Return the address that senders use."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """A uvicorn server that obeys SIGTERM also during its startup."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.started:
            os._exit(0)  # a thread may wait for the store; no request has been received
        super().handle_exit(sig, frame)


def serve(
    app: ReceiverApp,
    listener: int,
    on_ready: Callable[[], None],
    on_waiting: Callable[[], None],
) -> None:
    """Answer requests on a listening socket until SIGTERM.

    Args:
        listener: The descriptor of the socket.
        on_ready: Called once requests can be answered.
        on_waiting: Called when the store cannot be used yet.
    """
    # At SIGTERM uvicorn shuts down, then raises the signal again for the earlier handler: this.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    config = configured(Receiver(app, on_ready=on_ready, on_waiting=on_waiting))
    _Server(config).run(sockets=[socket.socket(fileno=listener)])


def configured(receiver: Receiver, connections: type[Wire] = FastLane) -> uvicorn.Config:
    """Return the settings of the receiver's server."""
    return uvicorn.Config(
        receiver,
        loop="uvloop",
        http=connections,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        backlog=_BACKLOG,
    )
