"""An open write transaction, for the store's own statements."""

from __future__ import annotations

import sys
import threading
import weakref
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

import apsw

from ...errors import SqlError, StoreCorrupt
from ...types.messages.death import Death
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
        anybody_waits: For the end of a message, as far as a statement has said so.
        told: Ears, each with a message that has ended; told once it is committed.
        inner: The savepoints that are open, the last one last.
    """

    __slots__ = (
        "_authorizer",
        "_connection",
        "_database",
        "_execute",
        "anybody_waits",
        "deaths",
        "died",
        "freed",
        "inner",
        "now_ms",
        "operation",
        "path",
        "thread",
        "told",
        "wakes",
    )

    def __init__(self, database: Database, operation: str) -> None:
        self._database = database
        self._connection = database.connection
        self._execute = database.connection.execute
        self._authorizer = database.authorizer
        self.now_ms = database.clock.now_ms()
        self.path = database.path
        self.operation = operation
        self.thread = threading.get_ident()
        self.wakes = False
        self.anybody_waits = False
        self.told: tuple[Row, ...] = ()
        self.died: list[Death] = []
        self.freed: set[str] = set()
        self.inner: list[weakref.ref[Savepoint]] = []
        self.deaths: list[int] = []  # how many there were when the savepoint of a depth began

    def run(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run one of the store's own statements."""
        if self._database.writing is not self or not self._connection.in_transaction:
            raise self._gone()
        return self._execute(sql, parameters).fetchall()

    def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one of the store's own statements and return how many rows it changed."""
        if self._database.writing is not self or not self._connection.in_transaction:
            raise self._gone()
        self._execute(sql, parameters).fetchall()
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

    def savepoint(self, frame: FrameType | None = None) -> Savepoint:
        """Return a block that an error undoes alone, when it leaves the block.

        `frame` is of the function in which it stands, None for one whose code is the caller's.
        """
        return Savepoint(self, frame)

    def mark(self, sql: str) -> None:
        """Begin or end a savepoint."""
        try:
            self._execute(sql)
        except apsw.SQLError as error:  # the caller has ended it with a statement of its own
            raise SqlError(str(error), operation=self.operation, path=self.path) from error

    def undo(self, depth: int) -> None:
        """Undo what was done since a savepoint, unless all of it has been rolled back."""
        try:
            is_open = self._database.writing is self and self._connection.in_transaction
            if is_open:
                self.mark(f"rollback to fp_inner_{depth}")
        except SqlError:
            del self.inner[depth:]
            raise
        del self.inner[depth:]
        del self.died[self.deaths[depth] :]
        if is_open:
            self.mark(f"release fp_inner_{depth}")

    def undo_left(self) -> None:
        """Undo the savepoints of functions that a signal's handler has kept from ending them."""
        for depth, known in enumerate(self.inner):
            savepoint = known()
            if savepoint is not None and has_ended(savepoint.frame):
                self.undo(depth)
                return

    def undo_lost(self, savepoint: weakref.ref[Savepoint]) -> None:
        """Undo a savepoint that a signal's handler has kept from ending."""
        if savepoint in self.inner:
            self.undo(self.inner.index(savepoint))

    def check(self) -> None:
        """Refuse to go on once the transaction is gone, or after a fork."""
        if self._database.writing is not self or not self._connection.in_transaction:
            raise self._gone()

    def _gone(self) -> SqlError:
        self._database.check(self.operation)
        what = "has ended"
        if self._database.writing is self:
            # "insert or rollback" and some I/O errors end a transaction on their own; what
            # came after would commit statement by statement.
            what = "was rolled back by an earlier error"
        return SqlError(
            f"the transaction {what}; nothing was changed", operation=self.operation, path=self.path
        )


class Savepoint:
    """A block of a write transaction whose changes can be undone alone; see Write.savepoint.

    Each has the name of its depth: one that a signal's handler has kept from ending, or from
    being noted, is undone or released with the one around it.
    """

    __slots__ = ("__weakref__", "_depth", "_write", "frame")

    def __init__(self, write: Write, frame: FrameType | None) -> None:
        self._write = write
        self.frame = frame

    def __enter__(self) -> Write:
        self._write.check()  # without a transaction around it, a savepoint is one and commits
        self._depth = len(self._write.inner)
        self._write.deaths[self._depth :] = [len(self._write.died)]
        self._write.mark(f"savepoint fp_inner_{self._depth}")
        self._write.inner.append(weakref.ref(self, self._write.undo_lost))
        return self._write

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._write.undo(self._depth)
        else:
            self._write.check()
            del self._write.inner[self._depth :]  # no call, behind which a handler could raise
            self._write.mark(f"release fp_inner_{self._depth}")
        self.frame = None  # which may refer to this


def has_ended(frame: FrameType | None) -> bool:
    """True for the frame of a function that this thread is not within."""
    if frame is None:
        return False
    within: FrameType | None = sys._getframe(1)
    while within is not None:
        if within is frame:
            return False
        within = within.f_back
    return True
