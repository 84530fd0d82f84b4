"""The handlers of the pools that are measured. `fencepost work` runs them beside the store."""

from __future__ import annotations

import time

from ..app import App, Context
from ..store import Message

STORE = "bench.db"
EFFECTS = "create table if not exists effects (key text, fence integer)"

app = App(STORE)


@app.task("empty")
def empty(message: Message, ctx: Context) -> None:
    """Do nothing."""


@app.task("one", prefetch=1)
def one(message: Message, ctx: Context) -> None:
    """Do nothing, for messages that are claimed one at a time."""


@app.task("transaction")
def transaction(message: Message, ctx: Context) -> None:
    """Insert one row, in one transaction with the ack."""
    with ctx.transaction() as tx:
        tx.execute("insert into effects values (?, ?)", (message.key, ctx.fence))


@app.task("clock")
def clock(message: Message, ctx: Context) -> int:
    """Return when the handler began, by the clock that all processes share."""
    return time.monotonic_ns()


@app.task("waiter")
def waiter(message: Message, ctx: Context) -> int:
    """Wait for an answer; return when the handler went on, by the clock of all processes."""
    ctx.wait("answer")
    return time.monotonic_ns()
