"""Write transactions: begin, commit and rollback.

BEGIN IMMEDIATE always: a transaction that reads first and writes later fails at once,
whatever the timeout, when another has written in between (sqlite.org/rescode.html#busy_snapshot).
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from functools import partial
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

import apsw

from ...errors import InvalidInput, OutcomeUnknown, SqlError, StoreFailed, StoreFull
from ..file import space
from ..file.checkpoint import Report
from . import faults
from .database import Database
from .write import Savepoint, Write, has_ended

if TYPE_CHECKING:
    from .session import Session

_TRESPASS_SECONDS = 0.001


class Block:
    """A `with` block of a write transaction, or of a savepoint in one; see Session.write.

    A signal's handler can raise anywhere in here; signal_safe.py says how no lock is left
    behind. When it raises just before the first step of `__exit__`, the block is left open. Then
    it is ended when its thread begins another one or closes the store, and otherwise once
    nothing refers to it: what was raised keeps it alive for as long as that is handled.
    """

    __slots__ = (
        "__weakref__",
        "_batch",
        "_commits",
        "_database",
        "_entered",
        "_frame",
        "_grows",
        "_joins",
        "_nests",
        "_operation",
        "_patience",
        "_savepoint",
        "_session",
        "_write",
    )

    def __init__(
        self,
        session: Session,
        database: Database,
        operation: str,
        joins: bool,
        nests: bool,
        grows: int | None,
        patience: float,
        batch: bool,
    ) -> None:
        self._session = session
        self._database = database
        self._operation = operation
        self._joins = joins
        self._nests = nests
        self._grows = grows
        self._patience = patience
        self._batch = batch
        self._entered = False
        self._savepoint: Savepoint | None = None
        self._write: Write | None = None
        self._frame: FrameType | None = None  # of the function that the block stands in
        self._commits = b""  # SQLite's counter of them when the transaction began

    def __enter__(self) -> Write:
        database, operation = self._database, self._operation
        database.check(operation)
        if self._entered:
            raise InvalidInput(
                f"a {operation} block is entered once; begin another",
                operation=operation,
                path=database.path,
            )
        self._entered = True
        outer = database.writing
        ours = outer is not None and outer.thread == threading.get_ident()
        if outer is not None and ours:
            block = database.block and database.block()
            if not block or not block.end_if_left():
                return self._join(outer, None if self._nests else sys._getframe(1))
        started = time.monotonic()
        deadline = started + self._patience
        taken: list[bool] = []
        try:
            # Taken and noted in one step, as signal_safe.record does it.
            taken.extend(map(database.mutex.acquire, (True,), (self._patience,)))
            if not taken[0]:
                raise faults.busy(operation, database.path, started)
            database.block = weakref.ref(self, partial(_end_lost, database))
            if database.closed:  # another thread has closed it meanwhile
                database.check(operation)
            if not database.gate.enter(deadline, batch=self._batch):
                raise faults.busy(operation, database.path, started)
            write = self._begin(started, deadline)
            if not self._nests:
                self._frame = sys._getframe(1)
            self._write = write
            return write
        except (StoreFull, OutcomeUnknown) as error:
            self._make_room(error)
            raise
        finally:
            if self._write is None and True in taken:
                _end(database)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._savepoint is not None:
            self._savepoint.__exit__(kind, error, traceback)
            return
        write, database = self._write, self._database
        assert write is not None
        inside = True
        try:
            try:
                if error is None:
                    write.check()
                    self._commit()
                    database.writing = None
                    database.checkpointer.run_when_due()
                elif isinstance(error, apsw.Error):
                    raise self._translated(error) from error
                elif isinstance(error, StoreFull | OutcomeUnknown):
                    self._make_room(error)
            except (StoreFull, OutcomeUnknown) as failure:
                self._make_room(failure)
                raise
            finally:
                _leave(database)
                inside = False
            if error is None:
                if write.wakes or write.freed:
                    self._session.on_wake()
                if write.told:
                    self._session.on_told(write.told)
                if write.died:
                    self._session.on_died(write.died)
        finally:
            try:
                if inside:
                    _leave(database)
            finally:
                self._frame = database.block = None
                database.mutex.release()

    def end_if_left(self) -> bool:
        """End it, when the function in which it stands has ended and it has not."""
        if has_ended(self._frame):
            _end(self._database)
            return True
        return False

    def _join(self, outer: Write, frame: FrameType | None) -> Write:
        operation, path = self._operation, self._database.path
        if not self._joins:
            raise InvalidInput(
                f"{operation} cannot be part of another transaction",
                operation=operation,
                path=path,
            )
        if self._grows is not None and space.is_short(path, self._grows, 0):
            raise faults.short(operation, path)
        outer.undo_left()
        self._savepoint = outer.savepoint(frame)
        return self._savepoint.__enter__()

    def _begin(self, started: float, deadline: float) -> Write:
        database, operation, grows = self._database, self._operation, self._grows
        if grows is None:
            space.drop_ballast_when_exhausted(database.path)
        if not database.is_sound:
            database.mend(operation)
        wal_bytes = database.identity.require(operation)
        if grows is not None and space.is_short(database.path, grows, wal_bytes):
            self._require_room(grows)
        # To SQLite's lock another library in this process is no other; it is to us.
        sentinel = database.sentinel
        while sentinel is not None and sentinel.is_written_here():
            if time.monotonic() >= deadline:
                raise faults.busy(operation, database.path, started)
            time.sleep(_TRESPASS_SECONDS)
            sentinel = database.sentinel
        connection = database.connection
        connection.set_busy_timeout(int(max(0.0, deadline - time.monotonic()) * 1000))
        try:
            connection.execute("begin immediate")
        except apsw.Error as error:
            waited = time.monotonic() - started
            raise faults.translate(error, operation, database.path, waited) from error
        self._commits = b"" if sentinel is None else sentinel.commits()
        database.writing = write = Write(database, operation)
        return write

    def _require_room(self, grows: int) -> None:
        database, operation = self._database, self._operation
        # What the WAL takes is there to be used again once its pages are in the database.
        report: Report = database.run(operation, database.checkpointer.run)
        pending = (report.pages - report.moved) * space.PAGE
        if space.is_short(database.path, grows, pending):
            raise faults.short(operation, database.path)

    def _make_room(self, error: StoreFull | OutcomeUnknown) -> None:
        """Drop the ballast when a transaction that stores no more has met a full disk."""
        if self._grows is None and isinstance(error.__cause__, apsw.FullError):
            space.drop_ballast(self._database.path)

    def _translated(self, error: apsw.Error) -> Exception:
        operation, path = self._operation, self._database.path
        if faults.is_users_own(error, self._database.connection):
            return SqlError(str(error), operation=operation, path=path)
        return faults.translate(error, operation, path)

    def _commit(self) -> None:
        database, operation = self._database, self._operation
        database.check(operation)
        if not database.is_sound:  # another process may be writing by now
            raise faults.unlocked(operation, database.path)
        sentinel = database.sentinel
        if sentinel is not None and sentinel.commits() != self._commits:
            raise faults.trespassed(operation, database.path)
        try:
            database.connection.execute("commit")
        except apsw.BusyError as error:  # a reader of a foreign kind; the transaction is whole
            raise faults.translate(error, operation, database.path) from error
        except apsw.Error as error:
            database.break_off()
            raise OutcomeUnknown(
                f"{database.path}: COMMIT of {operation} failed: {error}",
                operation=operation,
                path=database.path,
            ) from error
        try:
            database.identity.require(operation)
        except StoreFailed as error:
            raise OutcomeUnknown(str(error), operation=operation, path=database.path) from error


def _leave(database: Database) -> None:
    """Roll back what the open transaction has not committed, and leave the gate."""
    try:  # calls into C alone, as long as all goes well; see signal_safe.py
        database.writing = None
        if not database.broken and not database.closed and database.connection.in_transaction:
            database.connection.execute("rollback")
    except apsw.Error:
        pass  # closing a connection rolls back what it had open
    finally:
        try:
            if not database.broken and not database.closed and database.connection.in_transaction:
                database.break_off()
        finally:
            database.gate.leave()
            database.gate.left_at = time.monotonic()


def _end(database: Database) -> None:
    """Leave, and let another thread have its turn."""
    try:
        _leave(database)
    finally:
        database.block = None
        database.mutex.release()


def _end_lost(database: Database, block: weakref.ref[Block]) -> None:
    if database.block is block:
        _end(database)
