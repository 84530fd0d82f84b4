"""The surroundings of a handler in a worker: an event loop and worker hooks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from ..app.handlers.hooks import Hooks, WorkerProcess, call_started, call_stopping
from ..store import Store
from ..workers.worker.coroutines import guarded_task

T = TypeVar("T")
Run = Callable[[Any], object]


@contextmanager
def process(store: Store, hooks: Hooks) -> Iterator[Run]:
    """Call the hooks around a block that gets a function to run coroutines.

    Raises:
        BaseException: A `worker_started` hook raised it.
    """
    worker = WorkerProcess(0, os.getpid(), store)
    with asyncio.Runner(loop_factory=partial(_new_loop, store)) as runner:
        try:
            call_started(hooks, worker, runner.run)
        except SystemExit as ended:
            raise ended.__cause__ or ended from None
        try:
            yield runner.run
        finally:
            call_stopping(hooks, worker, runner.run)


def outside_a_loop(call: Callable[[], T]) -> T:
    """Call a function in this thread, or in another one if this one runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:  # noqa: BLE001 - raised below, in the calling thread
            raised.append(error)

    thread = threading.Thread(target=run, name="fencepost-testing")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return found[0]


def _new_loop(store: Store) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(partial(guarded_task, store.engine))
    return loop
