"""The app of a long run: its handlers only count, so that what they leave does not grow."""

from __future__ import annotations

from ...ingest import App
from ...store import Message
from ...workers import Context, Retry
from .environment import plant_canary

QUEUE = "tally"

TABLE = "create table tally (handled integer)"
BEGIN = "insert into tally values (0)"
HANDLED = "select handled from tally"
_COUNT = "update tally set handled = handled + 1"

_RETRIED = 20
_RETRY_SECONDS = 0.05

app = App("store.db")


# No number of kills makes a message a dead letter.
@app.task(QUEUE, max_attempts=1_000_000, max_crashes=1_000_000)
def tally(message: Message, ctx: Context) -> None:
    """Count the message, one in so many at the second attempt."""
    if message.id % _RETRIED == 0 and ctx.attempt == 1:
        raise Retry(_RETRY_SECONDS)
    with ctx.transaction() as tx:
        tx.execute(_COUNT)


plant_canary()
