"""How the store is told of an attempt that did not end as done."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from ...app.exceptions import Cancelled
from ...app.handlers.failures import describe, leaves, verdict
from ...app.joins.ending import all_failed, some_failed
from ...app.joins.group import SomeFailed
from ...log import delivery_lines
from ...log.delivery_lines import place
from ...log.log import log
from ...store import Store
from .attempt import Attempt


def ending(store: Store, attempt: Attempt, error: BaseException) -> Callable[[], object]:
    """Log what the handler raised; return what tells the store."""
    claim, handler = attempt.claim, attempt.handler
    if attempt.context.suspended:
        log.info("handler sleeps", **took(store, attempt), at=str(attempt.context.ends_with))
        return attempt.context.suspend
    if (stuck := attempt.context.ends_with) is not None:
        log.warning("handler cannot go on", **took(store, attempt), error=describe(stuck))
        return partial(claim.bury, describe(stuck))
    if isinstance(error, SomeFailed):
        return some_failed(store, handler, claim, error)
    # If it were not released, its lease would be renewed with the others of this worker.
    cancelled = any(isinstance(each, Cancelled) for each in leaves(error))
    if cancelled or attempt.lease.lost:
        log.warning("handler interrupted", **took(store, attempt), error=describe(error))
        return partial(claim.bury, describe(error)) if handler.at_most_once else claim.release
    found = verdict(handler, error, claim.attempt)
    fields = took(store, attempt)
    most = handler.limits.max_attempts
    if found.retry_after is not None and (most is None or claim.attempt < most):
        fields["retry_after_seconds"] = round(found.retry_after, 3)
    if found.expected and found.retry_after is not None:
        log.info("handler asked for a retry", **fields, error=found.error, at=place(error))
    elif not found.expected:
        log.warning("handler failed", **fields, at=place(error), exc_info=error)
    delivery_lines.places[claim.id] = place(error)
    if claim.joined:
        return all_failed(handler, claim, found.retry_after, found.error)
    if found.retry_after is None:
        return partial(claim.bury, found.error)
    return partial(claim.retry, found.retry_after, found.error)


def took(store: Store, attempt: Attempt) -> delivery_lines.Fields:
    """Return the log fields of an attempt that has ended."""
    now_ms = store.engine.clock.now_ms()
    return delivery_lines.took(attempt.claim, attempt.began, time.monotonic(), now_ms)
