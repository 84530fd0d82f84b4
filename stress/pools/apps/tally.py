"""The app of a long run: its handlers only count, so that what they leave does not grow."""

from __future__ import annotations

from typing import NamedTuple

from ....app import App, Context, Retry
from ....store import Message, Transaction
from ..environment import plant_canary

QUEUE = "tally"

TABLE = "create table tally (messages integer, ids integer, squares integer)"
BEGIN = "insert into tally values (0, 0, 0)"
HANDLED = "select messages, ids, squares from tally"

# Of a day's ids the squares sum to more than an integer of SQLite holds. With this modulus no
# step does while ids are below 2**31: ten million is as far as a day comes.
_MODULUS = 2**62

_RETRIED = 20
_RETRY_SECONDS = 0.05

app = App("store.db")


class Tally(NamedTuple):
    """How many messages, and sums of their ids: one lost and another doubled do not cancel out.

    Attributes:
        squares: Modulo 2**62.
    """

    messages: int = 0
    ids: int = 0
    squares: int = 0

    def plus(self, other: Tally) -> Tally:
        """Return the tally of both."""
        return Tally(
            self.messages + other.messages,
            self.ids + other.ids,
            (self.squares + other.squares) % _MODULUS,
        )


def one(id: int) -> Tally:
    """Return the tally of a single message."""
    return Tally(1, id, id * id % _MODULUS)


_COUNT = """
update tally
set messages = messages + 1, ids = ids + :id, squares = (squares + :id * :id) % :modulus
"""


def count(tx: Transaction, id: int) -> None:
    """Add a message to the store's own tally."""
    tx.execute(_COUNT, {"id": id, "modulus": _MODULUS})


# No number of kills makes a message a dead letter.
@app.task(QUEUE, max_attempts=1_000_000, max_crashes=1_000_000)
def tally(message: Message, ctx: Context) -> None:
    """Count the message, one in so many at the second attempt."""
    if message.id % _RETRIED == 0 and ctx.attempt == 1:
        raise Retry(_RETRY_SECONDS)
    with ctx.transaction() as tx:
        count(tx, message.id)


plant_canary()
