"""Handlers that remember, attempted in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from fencepost import App, Context, OutcomeUnknown
from fencepost.testing import Clock, Result, enqueue


def note(calls: list[Any], call: Any, outcome: Any) -> Any:
    """Add a call to the list, and return the outcome."""
    calls.append(call)
    return outcome


def run(
    handler: Callable[..., Any],
    *,
    attempts: int | None = None,
    url: str | None = None,
    **settings: Any,
) -> Result:
    """Run a handler as a task until its delivery has ended."""
    app = App("unused.db", version="v1", url=url)
    app.task("work", **{"max_attempts": 5, **settings})(handler)
    return enqueue(app, "work", b"body", key="order-7", attempts=attempts, clock=Clock())


def make_unsure(ctx: Context, *, committed: bool, for_ever: bool = False) -> None:
    """Have nobody know whether the transaction of the next step, or of each, was committed."""
    steps: Any = ctx.store.engine.durable.steps
    transaction = steps.transaction

    @contextlib.contextmanager
    def unsure(hold: Any) -> Any:
        if not for_ever:
            steps.transaction = transaction
        with contextlib.suppress(_Undone), transaction(hold) as step:
            yield step
            if not committed:
                raise _Undone
        raise OutcomeUnknown("the disk went away")

    steps.transaction = unsure


class _Undone(Exception):
    pass
