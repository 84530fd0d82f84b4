"""Whichever side dies, and whenever: the receiver's handler runs once for each webhook."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fencepost import App, connect
from fencepost.store.types.messages.message import Message

from ..processes import children_of, line_of, wait_until
from .other_side import OtherSide, Request, answer, other_side, reset
from .site import SECRET, Site

Death = Callable[["Ends", socket.socket, Request], None]


class Ends:
    """A sender in a pool, and a receiver that is Fencepost: its app answers for the server.

    Attributes:
        deaths: What is still to happen, each to one request.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("sender", "receiver"):
            (folder / name).mkdir()
        self.sender = Site(folder / "sender")
        self.path = folder / "receiver/inbox.db"
        self.app = App(str(self.path))
        self.app.source("sender", scheme="standard", secret=SECRET)
        self.app.on("sender")(handled)
        self.deaths: list[Death] = []
        self.pool = 0

    def behave(self, connection: socket.socket, request: Request) -> None:
        """Die as the next death says; answer as the receiver when none is left."""
        if self.deaths:
            self.deaths.pop(0)(self, connection, request)
        else:
            self.accept(connection, request)

    def accept(self, connection: socket.socket | None, request: Request) -> None:
        """Store the webhook, and answer if there is a connection."""
        said = self.app.accept("sender", request.headers, request.body)
        if connection is not None:
            answer(said.status, said.body)(connection, request)

    def kill_sender(self) -> None:
        """Kill the pool with all its processes."""
        for pid in [*_descendants(self.pool), self.pool]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    return [each for child in children_of(pid) for each in (*_descendants(child), child)]


def handled(message: Message, ctx: object) -> None:
    """Handle what the sender sent; how often is for the store to say."""


def sender_before_the_receiver_has_it(ends: Ends, connection: socket.socket, _: Request) -> None:
    ends.kill_sender()


def sender_before_the_answer(ends: Ends, connection: socket.socket, request: Request) -> None:
    ends.accept(None, request)
    ends.kill_sender()


def sender_after_the_answer(ends: Ends, connection: socket.socket, request: Request) -> None:
    ends.accept(connection, request)
    ends.kill_sender()


def receiver_before_its_commit(ends: Ends, connection: socket.socket, request: Request) -> None:
    reset(connection, request)


def receiver_after_its_commit(ends: Ends, connection: socket.socket, request: Request) -> None:
    ends.accept(None, request)
    reset(connection, request)


DEATHS: list[Death] = [
    sender_before_the_receiver_has_it,
    sender_before_the_answer,
    sender_after_the_answer,
    receiver_before_its_commit,
    receiver_after_its_commit,
]


# OUTBOX-22
@pytest.mark.parametrize(
    "deaths", [*([each] for each in DEATHS), DEATHS[:3]], ids=lambda each: each[0].__name__
)
def test_each_webhook_is_handled_once_whoever_dies(tmp_path: Path, deaths: list[Death]) -> None:
    ends = Ends(tmp_path)
    ends.deaths = list(deaths)
    kills = sum(each.__name__.startswith("sender") for each in deaths)
    with other_side() as side:
        side.behave = ends.behave
        ends.sender.store.queue("mail").enqueue(side.url.encode(), key="k")
        for _ in range(kills):
            _until_killed(ends)
        ends.sender.drain()

    assert ends.deaths == []
    assert ends.sender.states() == {"done": 1}
    assert len({each.headers["webhook-id"] for each in side.requests}) == 1
    with connect(ends.path) as inbox:
        assert len(inbox.deliveries(queue="handled")) == 1
    ends.app.close()
    _signed_anew(side)


def _until_killed(ends: Ends) -> None:
    with ends.sender.pool() as pool:
        ends.pool = pool.pid
        line_of(pool)
        wait_until(lambda: pool.poll() is not None, "the sender's death")
        assert pool.returncode == -signal.SIGKILL


def _signed_anew(side: OtherSide) -> None:
    """Each attempt has a signature of its own time."""
    times = [int(each.headers["webhook-timestamp"]) for each in side.requests]
    assert times == sorted(times)
