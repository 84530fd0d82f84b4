"""When the receiver closes a connection over which nothing comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from uvicorn.server import ServerState

from fencepost import connect
from fencepost.ingest.web.fast_lane import FastLane
from fencepost.ingest.web.receiver import Receiver
from fencepost.ingest.web.serve import configured

from .inbox import github_app

# It is refused at once.
UNSIGNED = b"POST /in/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Timer:
    """A call that is due."""

    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A loop whose time is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def go_to(self, now: float) -> None:
        """Call what is due until then."""
        self.now = now
        for timer in [each for each in self.timers if each.at <= now]:
            self.timers.remove(timer)
            if not timer.cancelled:
                timer.call()


class Wired(asyncio.Transport):
    """What notes the answers, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0
        self.closed = False

    def write(self, data: Any) -> None:
        self.answers += 1

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def resume_reading(self) -> None:
        pass


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[tuple[Loop, Wired, FastLane]]:
    """A connection of a receiver whose store is open."""
    path = tmp_path / "hooks.db"
    with connect(path):
        pass
    receiver = Receiver(github_app(path))
    receiver.lazy_store.open()
    loop, wired = Loop(), Wired()
    config = configured(receiver)
    lane = FastLane(config, ServerState(), {}, _loop=cast(asyncio.AbstractEventLoop, loop))
    lane.connection_made(wired)
    yield loop, wired, lane
    receiver.lazy_store.close()


# ACCEPT-13
def test_a_connection_is_closed_75_s_after_its_last_answer_and_has_one_timer(
    connected: tuple[Loop, Wired, FastLane],
) -> None:
    loop, wired, lane = connected
    for now in range(60):
        loop.go_to(now)
        lane.data_received(UNSIGNED)
    timers = len([timer for timer in loop.timers if not timer.cancelled])

    loop.go_to(133.9)
    before = wired.closed
    loop.go_to(134.0)

    assert wired.answers == 60
    assert timers == 1
    assert (before, wired.closed) == (False, True)


# ACCEPT-13
def test_a_request_that_has_begun_is_not_cut_off_by_the_pause_before_it(
    connected: tuple[Loop, Wired, FastLane],
) -> None:
    loop, wired, lane = connected
    lane.data_received(UNSIGNED)
    loop.go_to(74.0)
    lane.data_received(UNSIGNED[:-1])

    loop.go_to(76.0)
    cut_off = wired.closed
    lane.data_received(UNSIGNED[-1:])
    loop.go_to(150.0)
    early = wired.closed
    loop.go_to(151.0)

    assert wired.answers == 2
    assert (cut_off, early, wired.closed) == (False, False, True)
