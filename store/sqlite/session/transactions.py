"""Write transactions: begin, commit and rollback.

BEGIN IMMEDIATE always: a transaction that reads first and writes later fails at once,
whatever the timeout, when another has written in between (sqlite.org/rescode.html#busy_snapshot).
"""

from __future__ import annotations

import time
from collections.abc import Generator

import apsw

from ...errors import OutcomeUnknown, SqlError, StoreFailed, StoreFull
from ..file import space
from ..file.checkpoint import Report
from . import faults
from .database import Database
from .write import Write

_TRESPASS_SECONDS = 0.001


class Transactions:
    """Begins and ends the write transactions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits = b""  # SQLite's counter of them when the transaction began

    def run(
        self, operation: str, grows: int | None, started: float, deadline: float
    ) -> Generator[Write, None, Write]:
        """Yield one transaction, in the gate; commit when the generator goes on, and return it.

        Raises:
            StoreBusy: The lock was not free by `deadline`; nothing was changed.
            StoreFull: There is no room; nothing was changed.
            OutcomeUnknown: COMMIT raised.
        """
        database = self._database
        try:
            if not database.gate.enter(deadline):
                raise faults.busy(operation, database.path, started)
            if grows is None:
                space.drop_ballast_when_exhausted(database.path)
            else:
                self._require_room(operation, grows)
            database.mend(operation)
            database.identity.require(operation)
            try:
                write = self._begin(operation, started, deadline)
                try:
                    yield write
                except apsw.Error as error:
                    if faults.is_users_own(error, database.connection):
                        raise SqlError(
                            str(error), operation=operation, path=database.path
                        ) from error
                    raise faults.translate(error, operation, database.path) from error
                write.check()
                self._commit(operation)
            finally:  # calls into C alone, as long as all goes well; see signal_safe.py
                database.writing = None
                try:
                    if not database.broken and database.connection.in_transaction:
                        database.connection.execute("rollback")
                except apsw.Error:
                    pass  # closing a connection rolls back what it had open
                finally:
                    if not database.broken and database.connection.in_transaction:
                        database.break_off()
            database.checkpointer.run_when_due()
        except (StoreFull, OutcomeUnknown) as error:
            if grows is None and isinstance(error.__cause__, apsw.FullError):
                space.drop_ballast(database.path)
            raise
        finally:
            database.gate.leave()
        return write

    def _begin(self, operation: str, started: float, deadline: float) -> Write:
        database = self._database
        # To SQLite's lock another library in this process is no other; it is to us.
        while (sentinel := database.sentinel) is not None and sentinel.is_written_here():
            if time.monotonic() >= deadline:
                raise faults.busy(operation, database.path, started)
            time.sleep(_TRESPASS_SECONDS)
        connection = database.connection
        connection.set_busy_timeout(int(max(0.0, deadline - time.monotonic()) * 1000))
        try:
            connection.execute("begin immediate")
        except apsw.Error as error:
            waited = time.monotonic() - started
            raise faults.translate(error, operation, database.path, waited) from error
        self._commits = b"" if sentinel is None else sentinel.commits()
        database.writing = Write(database, operation)
        return database.writing

    def _require_room(self, operation: str, grows: int) -> None:
        database = self._database
        if not space.is_short(database.path, grows, space.wal_bytes(database.path)):
            return
        # What the WAL takes is there to be used again once its pages are in the database.
        database.mend(operation)
        report: Report = database.run(operation, database.checkpointer.run)
        pending = (report.pages - report.moved) * space.PAGE
        if space.is_short(database.path, grows, pending):
            raise faults.short(operation, database.path)

    def _commit(self, operation: str) -> None:
        database = self._database
        if not database.is_sound:  # another process may be writing by now
            raise faults.unlocked(operation, database.path)
        if (sentinel := database.sentinel) is not None and sentinel.commits() != self._commits:
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
