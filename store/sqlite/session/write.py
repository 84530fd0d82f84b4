"""An open write transaction, for the store's own statements."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Self

import apsw

from ...errors import SqlError, StoreCorrupt
from ...types.message import Death
from ...types.transaction import Parameters, Row
from .damage import corrupt

if TYPE_CHECKING:
    from .database import Database

STORE_ID = "select store_id from fp_store"


class Write:
    """An open write transaction: our own statements, and a user's through `execute`.

    Attributes:
        now_ms: The store's clock, read after the lock was held.
        thread: The one that holds it.
        operation: The verb that began it.
        wakes: Something can be claimed now, or will be; said once it is committed.
        died: The deliveries that have become dead letters; told once it is committed.
        freed: Queues of which one more may be leased than before, which is a reason too.
    """

    __slots__ = (
        "_authorizer",
        "_connection",
        "_database",
        "died",
        "freed",
        "now_ms",
        "operation",
        "path",
        "thread",
        "wakes",
    )

    def __init__(self, database: Database, operation: str) -> None:
        self._database = database
        self._connection = database.connection
        self._authorizer = database.authorizer
        self.now_ms = database.clock.now_ms()
        self.path = database.path
        self.operation = operation
        self.thread = threading.get_ident()
        self.wakes = False
        self.died: list[Death] = []
        self.freed: set[str] = set()

    def run(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run one of the store's own statements."""
        self.check()
        return self._connection.execute(sql, parameters).fetchall()

    def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one of the store's own statements and return how many rows it changed."""
        self.check()
        self._connection.execute(sql, parameters).fetchall()
        return self._connection.changes()

    def one(self, sql: str, parameters: Parameters = ()) -> Row:
        """Run one of the store's own statements that answers with exactly one row."""
        rows = self.run(sql, parameters)
        if len(rows) != 1:
            raise self.corrupt(f"a statement should return one row, and returned {len(rows)}")
        return rows[0]

    def must(self, sql: str, parameters: Parameters = (), *, change: int = 1) -> None:
        """Run one of the store's own statements that has to change so many rows."""
        changed = self.change(sql, parameters)
        if changed != change:
            raise self.corrupt(f"a statement should change {change} rows, and changed {changed}")

    def corrupt(self, what: str) -> StoreCorrupt:
        """Return the error for something in the store that cannot be."""
        return corrupt(self.path, self.operation, what)

    @property
    def last_id(self) -> int:
        """The number of the row inserted last."""
        return self._connection.last_insert_rowid()

    @property
    def store_id(self) -> str:
        """What tells this store from every other."""
        if not self._database.store_id:
            (self._database.store_id,) = self.one(STORE_ID)
        return self._database.store_id

    def execute(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """See fencepost.store.types.transaction.Transaction."""
        self.check()
        return self._authorizer.execute(sql, parameters, self.path)

    def savepoint(self) -> Iterator[Self]:
        """Let what is done until the next step be undone alone."""
        self.check()  # without a transaction around it, a savepoint is one and commits
        self._connection.execute("savepoint fp_inner")
        try:
            yield self
        except BaseException:
            if self._database.writing is self and self._connection.in_transaction:
                self._end("rollback to fp_inner")
                self._end("release fp_inner")
            raise
        self.check()
        self._end("release fp_inner")

    def _end(self, sql: str) -> None:
        try:
            self._connection.execute(sql)
        except apsw.SQLError as error:  # the caller has ended it with a statement of its own
            raise SqlError(str(error), operation=self.operation, path=self.path) from error

    def check(self) -> None:
        """Refuse to go on once the transaction is gone, or after a fork."""
        self._database.check(self.operation)
        if self._database.writing is not self:
            raise SqlError(
                "the transaction has ended; nothing was changed",
                operation=self.operation,
                path=self.path,
            )
        # "insert or rollback" and some I/O errors end a transaction on their own; what
        # came after would commit statement by statement.
        if not self._connection.in_transaction:
            raise SqlError(
                "the transaction was rolled back by an earlier error; nothing was changed",
                operation=self.operation,
                path=self.path,
            )


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the store's own within a write transaction.

    Attributes:
        steps: What ends the transaction when it is closed.
        frame: Of the function that the block stands in.
    """

    steps: Generator[Write, None, Write]
    frame: FrameType


def end_if_left(block: Block | None) -> None:
    """Roll back when a block was left and not ended.

    A signal's handler can raise just before the block's end, and what it has raised keeps
    the rest alive for as long as it is handled.
    """
    if block is None:
        return
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame is block.frame:
            return
        frame = frame.f_back
    block.steps.close()
