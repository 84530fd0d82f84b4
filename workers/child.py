"""What a worker process does first and last."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from multiprocess.connection import Connection

from ..store import connect
from ..store.errors import StoreBusy
from .handler import Application
from .keeper import Keeper
from .log import configure, log
from .page import Page
from .worker import Worker

Load = Callable[[], Application]
T = TypeVar("T")


def work(
    line: Connection,
    page: Page,
    parent: int,
    load: Load,
    pool: int,
    queues: Sequence[str] | None,
    lease: float,
) -> None:
    """Run one worker until SIGTERM: finish what is begun, then return.

    Everything is opened here, so nothing of the store crosses the spawn.
    """
    configure()
    signals = _signal_pipe()
    app = load()
    handlers = {
        name: handler for name, handler in app.handlers.items() if queues is None or name in queues
    }
    # The supervisor has made the store; a worker that finds none must not begin another.
    open_store = partial(connect, app.store, create=False, **app.store_options)
    with patiently(open_store) as store, patiently(open_store) as keeper_store:
        id = patiently(partial(store.engine.pools.register, pool))
        keeper = Keeper(keeper_store.engine, id, lease)
        worker = Worker(
            store, handlers, id=id, lease=lease, keeper=keeper, line=line, signals=signals
        )
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        keeper.start()
        line.send_bytes(b"ready %d" % id)
        try:
            worker.run()
        finally:
            keeper.stop()


def patiently(start: Callable[[], T]) -> T:
    """Start with the store as soon as it is no longer busy, however long that takes."""
    while True:
        try:
            return start()
        except StoreBusy as error:
            log.warning("store busy", operation=error.operation, waited=error.waited)


def _signal_pipe() -> int:
    """Return a descriptor that a signal makes readable, so that no sleep outlasts one.

    An interrupted poll() goes on by itself (PEP 475). SIGTERM before the worker is up
    just ends the process.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
