"""The fast lane when senders, the store or the process do not go on as planned."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.http import httptools_impl

from fencepost import App, connect
from fencepost.ingest.web import asgi, fast_lane, reading
from fencepost.ingest.web.fast_lane import FastLane
from fencepost.ingest.web.wire import Wire

from ..processes import wait_until
from .inbox import counted_commits, github, github_app, stored
from .listening import Said, listening, read_answers

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """An app whose receiver waits long for a store that is held."""
    monkeypatch.setattr("fencepost.ingest.lazy_store.BUSY_SECONDS", 60.0)
    return github_app(tmp_path / "hooks.db")


@pytest.fixture
def path(app: App) -> Path:
    """Where its store is."""
    return Path(app.store)


def raw(body: bytes = b"{}", *, key: str | None = "", cut: int = 0) -> bytes:
    """Return a webhook, without its last `cut` bytes."""
    head = "".join(f"{name}: {value}\r\n" for name, value in github(body, key=key).items())
    head = f"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n"
    return (head.encode() + body)[: -cut or None]


def test_an_ordinary_webhook_makes_no_cycle_and_no_task(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Cycle(httptools_impl.RequestResponseCycle):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            made.append("cycle")
            super().__init__(*arguments, **options)

    def task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        made.append("task")
        return asyncio.Task(work, loop=loop, **options)

    def count() -> None:
        asyncio.get_running_loop().set_task_factory(task)

    monkeypatch.setattr(httptools_impl, "RequestResponseCycle", Cycle)
    with listening(app, on_ready=count) as server, server.socket() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        (well,) = read_answers(connection, 1)
        by_the_full_way = list(made)
        made.clear()
        answers: list[Said] = []
        for _ in range(100):
            connection.sendall(raw())
            answers += read_answers(connection, 1)
        by_the_fast_lane = list(made)

    assert (well.status, sorted(by_the_full_way)) == (OK, ["cycle", "task"])
    assert [answer.status for answer in answers] == [OK] * 100
    assert by_the_fast_lane == []


# ACCEPT-11
def test_a_burst_of_32_takes_two_transactions(app: App, path: Path) -> None:
    with counted_commits() as commits, listening(app) as server, contextlib.ExitStack() as opened:
        senders = [opened.enter_context(server.socket()) for _ in range(32)]
        with connect(str(path)) as other, other.transaction():
            for sender in senders:
                sender.sendall(raw())
            wait_until(lambda: server.receiver.at_once == 32, "all have begun")
            commits.clear()
        answers = [answer for sender in senders for answer in read_answers(sender, 1)]

    assert [answer.status for answer in answers] == [OK] * 32
    assert len(commits) - 1 <= 2  # one is of the other connection


# ACCEPT-10
def test_a_sender_that_is_gone_before_its_answer_has_its_message_stored(
    app: App, path: Path
) -> None:
    with listening(app) as server:
        with connect(str(path)) as other, other.transaction():
            with server.socket() as connection:
                connection.sendall(raw())
                wait_until(lambda: server.receiver.at_once == 1, "it has begun")
            wait_until(lambda: not server.server.server_state.connections, "it is gone")
        wait_until(lambda: server.receiver.at_once == 0, "it is stored")
        (answer,) = server.answers([raw()], 1)

    assert answer.status == OK
    assert stored(path) == 2


# ACCEPT-9
@pytest.mark.parametrize("connections", [FastLane, Wire])
def test_a_sender_that_breaks_off_in_the_body_is_counted_out_and_logged(
    tmp_path: Path, connections: type[Wire], capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(str(tmp_path / "hooks.db"))
    name = f"broken-{connections.__name__}"  # a refusal of the same kind is logged once a minute
    app.source(name, scheme="github", secret="s")

    with listening(app, connections) as server:
        with server.socket() as connection:
            connection.sendall(raw(cut=1).replace(b"/in/github", f"/in/{name}".encode()))
            wait_until(lambda: server.receiver.at_once == 1, "it has begun")
        wait_until(lambda: server.receiver.at_once == 0, "it is gone")

    assert stored(Path(app.store)) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if name in line]
    assert '"status": 408, "reason": "the sender closed the connection"' in line


# ACCEPT-9
def test_no_more_at_once_than_the_limit_by_both_ways_together(
    app: App, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (asgi, fast_lane):
        monkeypatch.setattr(module, "MOST_AT_ONCE", 3)

    with listening(app) as server, contextlib.ExitStack() as opened:
        senders = [opened.enter_context(server.socket()) for _ in range(3)]
        with connect(str(path)) as other, other.transaction():
            for n, sender in enumerate(senders):
                sender.sendall(raw() if n else raw().replace(b"Host:", b"Expect: else\r\nHost:"))
            wait_until(lambda: server.receiver.at_once == 3, "all have begun")
            (refused,) = server.answers([raw()], 1)
        answers = [answer for sender in senders for answer in read_answers(sender, 1)]
        (later,) = server.answers([raw()], 1)

    assert refused.status == b"HTTP/1.1 503 Service Unavailable\r\n"
    assert b"too many requests at once" in refused.body
    assert [answer.status for answer in [*answers, later]] == [OK] * 4


# ACCEPT-8
def test_a_body_that_does_not_arrive_in_time_is_answered_as_on_the_full_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading, fast_lane):
        monkeypatch.setattr(module, "BODY_SECONDS", 0.1)
    said: list[list[Said]] = []

    for connections in (FastLane, Wire):
        with listening(github_app(tmp_path / f"{connections.__name__}.db"), connections) as server:
            said.append(server.answers([raw(cut=1)], 2))
            assert server.receiver.at_once == 0

    assert said[0] == said[1]
    (answer,) = said[0]
    assert answer.status == b"HTTP/1.1 408 Request Timeout\r\n"
    assert answer.headers["connection"] == "close"


# ACCEPT-10
def test_what_waits_for_its_commit_at_a_stop_is_answered_and_the_connection_closed(
    app: App, path: Path
) -> None:
    with listening(app) as server, server.socket() as connection, server.socket() as idle:
        idle.sendall(raw())
        (before,) = read_answers(idle, 1)
        with connect(str(path)) as other, other.transaction():
            connection.sendall(raw())
            wait_until(lambda: server.receiver.at_once == 1, "it has begun")
            server.stop()
            assert idle.recv(1) == b""  # so the stop has reached the connections
            assert server.thread.is_alive()
        (answer, *more) = read_answers(connection, 2)
        wait_until(lambda: not server.thread.is_alive(), "it has stopped")

    assert [said.headers.get("connection") for said in (before, answer)] == [None, "close"]
    assert (answer.status, more) == (OK, [])
    assert stored(path) == 2


# ACCEPT-9
def test_a_sender_that_reads_no_answers_gets_no_more_of_them(app: App, path: Path) -> None:
    with listening(app) as server, server.socket() as connection:
        state = server.server.server_state
        connection.sendall(raw())
        before = list(read_answers(connection, 1))
        (protocol,) = state.connections
        assert isinstance(protocol, FastLane)
        protocol.loop.call_soon_threadsafe(protocol.pause_writing)  # as a full transport does
        wait_until(lambda: protocol.flow.write_paused, "it is paused")
        for _ in range(20):
            connection.sendall(raw())
        wait_until(lambda: stored(path) == 2, "the next is stored")
        wait_until(lambda: protocol.pipeline, "those behind it wait")
        answered = state.total_requests
        protocol.loop.call_soon_threadsafe(protocol.resume_writing)
        answers = list(read_answers(connection, 20))

    assert answered == 1
    assert [answer.status for answer in before + answers] == [OK] * 21
    assert stored(path) == 21
