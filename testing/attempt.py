"""One attempt at a delivery in this process, settled as a worker settles it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from functools import partial
from typing import Any

from ..store import Claim, Store
from ..store.errors import InvalidInput, LeaseLost, LimitExceeded
from ..workers import Cancelled
from ..workers import Context as WorkerContext
from ..workers.coroutines import guarded_task
from ..workers.handler import Handler
from ..workers.rules import describe, verdict
from .tenure import Kept

# What a worker would take for a failure of the handler. Anything else that is no Exception is
# meant for whoever runs the tests: Ctrl-C, pytest.fail().
_FAILURES = (Exception, SystemExit, GeneratorExit, Cancelled, asyncio.CancelledError)


def attempt(store: Store, handler: Handler, claim: Claim) -> BaseException | None:
    """Run a handler once and settle its claim; return what it raised.

    Raises:
        InvalidInput: It has left a transaction open, for which a worker would end.
    """
    context = WorkerContext(claim, store, Kept(store.engine))
    try:
        result = _run(store, handler, claim, context)
    except _FAILURES as error:
        failure: BaseException | None = error
        _refuse_open(store, handler)
        _fail(handler, claim, context, error)
    else:
        failure = None
        _refuse_open(store, handler)
        _finish(claim, context, result)
    return failure


def _run(store: Store, handler: Handler, claim: Claim, context: WorkerContext) -> object:
    result = handler.function(claim.message, context)
    if handler.is_async:
        return _awaited(store, result)
    if inspect.iscoroutine(result) or inspect.isgenerator(result):
        result.close()
        raise TypeError(f"{handler.name} did not run: it made a {type(result).__name__}")
    return result


def _refuse_open(store: Store, handler: Handler) -> None:
    if store.engine.in_transaction():
        gc.collect()
    if store.engine.in_transaction():
        raise InvalidInput(
            f"handler {handler.name!r} has left a transaction open: its worker would end here",
            operation="deliver",
        )


def _awaited(store: Store, coroutine: Any) -> object:
    """Run a coroutine to its end, in another thread where this one runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run_loop(store, coroutine)
    found: list[object] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(_run_loop(store, coroutine))
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            raised.append(error)

    thread = threading.Thread(target=run, name="fencepost-testing")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return found[0]


def _run_loop(store: Store, coroutine: Any) -> object:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.get_loop().set_task_factory(partial(guarded_task, store.engine))
        return runner.run(coroutine)


def _finish(claim: Claim, context: WorkerContext, result: object) -> None:
    if context.completed:
        return
    try:
        claim.ack(result)
    except (InvalidInput, LimitExceeded):
        claim.ack()
    except LeaseLost:
        pass  # the handler has given it away


def _fail(handler: Handler, claim: Claim, context: WorkerContext, error: BaseException) -> None:
    if context.completed:
        return
    try:
        if isinstance(error, Cancelled):
            if handler.at_most_once:
                claim.bury(describe(error))
            else:
                claim.release()
            return
        found = verdict(handler, error, claim.attempt)
        if found.retry_after is None:
            claim.bury(found.error)
        else:
            claim.retry(found.retry_after, found.error)
    except LeaseLost:
        pass
