"""What every test of the store starts from: a fresh one, on each engine, with a clock to turn."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Queue, Store, connect
from fencepost.log.log import FORMAT, LEVEL, Log, log

from .clock import FakeClock
from .sqlite import invariants


def pytest_configure() -> None:
    """Have the processes of tests hear Ctrl-C and a hang-up, also where this one runs under nohup."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)  # xdist may be turned off
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: much of the time a test waits for processes."""
    return len(os.sched_getaffinity(0)) * 3 // 2


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """Let a command that a test runs in this process configure the log for that test alone."""
    before = {name: os.environ.get(name) for name in (LEVEL, FORMAT)}
    yield
    log._stream._close()
    vars(log).update(vars(Log()))
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told to."""
    return FakeClock()


@pytest.fixture(params=["sqlite"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that is not there yet; one for each engine."""
    assert request.param == "sqlite"
    return str(tmp_path / "store.db")


@pytest.fixture
def store(address: str, clock: FakeClock) -> Iterator[Store]:
    """An empty store on the fake clock; what must always be true of it is tried at the end."""
    with connect(address, clock=clock) as opened:
        yield opened
    if Path(address).exists():  # a test may have moved it away
        invariants.check(address)


@pytest.fixture
def queue(store: Store) -> Queue:
    """A queue of that store."""
    return store.queue("mail")
