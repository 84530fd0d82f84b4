"""One attempt at a delivery in the test's process."""

from __future__ import annotations

import asyncio
import gc
import inspect

from ..app import Cancelled
from ..app import Context as WorkerContext
from ..app.handlers.failures import describe, verdict
from ..app.handlers.handler import Handler
from ..app.joins.ending import all_failed, some_failed
from ..app.joins.group import SomeFailed
from ..app.steps.facts import NO_FACTS, AppFacts
from ..store import Claim, Store
from ..store.errors import InvalidInput, LeaseLost, LimitExceeded
from .kept_lease import kept
from .process import Run

# What a worker treats as a failure of the handler. Other exceptions that are no Exception are
# for the test runner: Ctrl-C, pytest.fail().
_FAILURES = (Exception, SystemExit, GeneratorExit, Cancelled, SomeFailed, asyncio.CancelledError)


def attempt(
    store: Store, handler: Handler, claim: Claim, run: Run, app: AppFacts = NO_FACTS
) -> BaseException | None:
    """Call a handler once and end its claim; return the exception that it raised.

    Args:
        run: Runs a coroutine to its end.
        app: What the context knows of the app.

    Raises:
        InvalidInput: The handler has left a transaction open, which would end a worker.
    """
    lease = kept(store.engine)
    context = WorkerContext(claim, store, lease, app=app, at_most_once=handler.at_most_once)
    try:
        try:
            result = _call(handler, claim, context, run)
        finally:
            context.close()
    except BaseException as error:
        if not isinstance(error, _FAILURES) and context.ends_with is None:
            raise
        failure: BaseException | None = error
        _refuse_open(store, handler)
        _fail(store, handler, claim, context, error)
    else:
        failure = context.ends_with
        _refuse_open(store, handler)
        if failure is None:
            _finish(claim, context, result)
        else:
            _fail(store, handler, claim, context, failure)
    return failure


def _call(handler: Handler, claim: Claim, context: WorkerContext, run: Run) -> object:
    result = handler.function(claim.message, context)
    if handler.is_async:
        return run(result)
    if inspect.iscoroutine(result) or inspect.isgenerator(result):
        result.close()
        raise TypeError(f"{handler.name} did not run: it returned a {type(result).__name__}")
    return result


def _refuse_open(store: Store, handler: Handler) -> None:
    if store.engine.transactions.is_open():
        gc.collect()
    if store.engine.transactions.is_open():
        raise InvalidInput(
            f"handler {handler.name!r} has left a transaction open: its worker would end here",
            operation="deliver",
        )


def _finish(claim: Claim, context: WorkerContext, result: object) -> None:
    if context.completed:
        return
    try:
        claim.ack(result)
    except (InvalidInput, LimitExceeded):
        claim.ack()
    except LeaseLost:
        pass  # the handler has ended the claim itself


def _fail(
    store: Store, handler: Handler, claim: Claim, context: WorkerContext, error: BaseException
) -> None:
    if context.completed:
        return
    try:
        if context.suspended:
            context.suspend()
            return
        if context.ends_with is not None:
            claim.bury(describe(context.ends_with))
            return
        if isinstance(error, Cancelled):
            if handler.at_most_once:
                claim.bury(describe(error))
            else:
                claim.release()
            return
        if isinstance(error, SomeFailed):
            some_failed(store, handler, claim, error)()
            return
        found = verdict(handler, error, claim.attempt)
        if claim.joined:
            all_failed(handler, claim, found.retry_after, found.error)()
        elif found.retry_after is None:
            claim.bury(found.error)
        else:
            claim.retry(found.retry_after, found.error)
    except LeaseLost:
        pass
