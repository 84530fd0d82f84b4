"""Entry point of a worker process: it opens the store, registers, works, and ends."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from functools import partial

from multiprocess.connection import Connection

from ...app.handlers.handler import set_caps
from ...app.outage import patiently
from ...app.sending.built_in import handlers_of
from ...app.steps.facts import app_facts
from ...linux import signal_handlers
from ...log import delivery_lines
from ...log.log import configure
from ...store import connect
from ...store.errors import StoreCorrupt
from ...store.types.messages.death import DEATHS
from ..process.app.app_process import Load, app_of
from ..process.entry_point import report
from ..process.shared_page import SharedPage
from .in_progress import InProgress
from .recycle import Recycle
from .router import Router
from .worker import Worker


def work(
    line: Connection,
    page: SharedPage,
    parent: int,
    load: Load,
    pool: int,
    queues: Sequence[str] | None,
    lease: float,
    recycle: Recycle,
) -> None:
    """Run one worker until SIGTERM; then finish what it has begun, and return.

    The store is opened here, because an open store must not be forked.
    """
    configure()
    try:
        _work(line, page, load, pool, queues, lease, recycle)
    except StoreCorrupt as error:
        with contextlib.suppress(OSError):
            line.send_bytes(f"damaged {error}".encode(errors="replace"))
        raise SystemExit(1) from None  # the supervisor logs it once for all workers


def _work(
    line: Connection,
    page: SharedPage,
    load: Load,
    pool: int,
    queues: Sequence[str] | None,
    lease: float,
    recycle: Recycle,
) -> None:
    app = app_of(load)
    signals = _signal_pipe()
    handlers = {
        name: handler
        for name, handler in handlers_of(app).items()
        if queues is None or name in (*queues, DEATHS)
    }
    # The supervisor has created the store; a worker that finds none must not create another.
    open_store = partial(connect, app.store, create=False, **app.store_options)
    waiting = partial(report, line, b"waiting")
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(patiently(open_store, waiting))
        store.engine.queue.on_died(delivery_lines.died)
        patiently(
            partial(set_caps, store, handlers.values()), waiting
        )  # as the code in this process declares them
        id = patiently(partial(store.engine.pools.register, pool), waiting)
        worker = Worker(
            store,
            handlers,
            id=id,
            lease=lease,
            in_progress=InProgress(store.engine, page),
            line=line,
            signals=signals,
            recycle=recycle,
            hooks=app.hooks,
            router=Router(store, app),
            app=app_facts(app),
        )
        worker.prepare()
        signal_handlers.install(signal.SIGTERM, lambda *_: worker.stop())
        report(line, b"ready %d" % id)
        worker.run()
        signal_handlers.install(signal.SIGTERM, lambda *_: None)  # it is ending already


def _signal_pipe() -> int:
    """Return a descriptor that a signal makes readable, so that a signal ends a sleep.

    Python restarts an interrupted poll() (PEP 475). SIGTERM before the worker is up ends the
    process.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
