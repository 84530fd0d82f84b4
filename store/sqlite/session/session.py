"""The one session to the database: a write transaction behind the gate.

BEGIN IMMEDIATE always: a transaction that reads first and writes later fails at once,
whatever the timeout, when another has written in between (sqlite.org/rescode.html#busy_snapshot).
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import apsw

from ...clock import HostClock
from ...errors import (
    InvalidInput,
    OutcomeUnknown,
    SchemaUnsupported,
    SqlError,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
)
from ...types.message import Death
from ...types.transaction import Parameters, Row, Table
from ..file import checksums as page_checksums
from ..file import paths, space
from ..file.checkpoint import Checkpointer, Report
from ..file.identity import FileIdentity
from ..locks import foreign_sqlite, forks
from ..locks.gate import Gate
from ..locks.lost_locks import LockSentinel
from . import copying, damage, faults, opening, recovery
from .authorizer import Authorizer
from .faults import translate
from .readers import Readers
from .write import Block, Write, end_if_left

__all__ = ["Session", "Write"]

T = TypeVar("T")

# The next to open reads a WAL that was left, so nobody waits long to take it away.
_CLOSE_SECONDS = 0.5

_TRESPASS_SECONDS = 0.001


class Session:
    """One connection and the only code that says begin, commit and rollback.

    Attributes:
        writing: The open write transaction, None when there is none.
        on_died: Called after a commit with the deliveries that have become dead letters.
        on_wake: Called after a commit that has given workers something to do.
        exposed: The files that group or others had access to before this opening.
        identity: Which files this opening has.
        has_checksums: Each page of the database carries a checksum.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: HostClock,
        busy_seconds: float,
        durability: str,
        checksums: bool = False,
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._durability = durability
        self._pid = os.getpid()
        self._mutex = threading.RLock()
        self.writing: Write | None = None
        self._block: Block | None = None
        self._broken = False
        self._at_rest = False
        self._commits = b""  # SQLite's counter of them when the transaction began
        if forks.inherited(paths.identity(path)):
            raise faults.forked(self.path)
        self._gate = Gate(path + "-gate")
        try:
            with damage.told(path, "open"):
                self._connection, self._clock, self.exposed = opening.open_database(
                    path,
                    self._gate,
                    clock=clock,
                    durability=durability,
                    patience=busy_seconds,
                    checksums=checksums,
                )
        except BaseException as error:
            if isinstance(error, SchemaUnsupported | StoreCorrupt):
                self._gate.remove_if_made()
            self._gate.close()
            raise
        self._authorizer = Authorizer(self._connection)
        self._checkpointer = self._new_checkpointer()
        self.identity = FileIdentity(path)
        self._authorizer.ticket = foreign_sqlite.share(path, self._let_go)
        self.has_checksums = page_checksums.has(self._connection)
        self._readers = Readers(path, checksums=self.has_checksums)
        self._closed = False
        self._store_id = ""
        self.on_wake: Callable[[], None] = lambda: None
        self.on_died: Callable[[list[Death]], None] = lambda _: None
        forks.watch(self)

    @contextmanager
    def write(
        self,
        operation: str,
        *,
        joins: bool = True,
        nests: bool = False,
        grows: int | None = None,
        patience: float | None = None,
    ) -> Iterator[Write]:
        """Hold a write transaction; it commits at the end of the block.

        Within another one of the same thread it is a savepoint of that one: both
        commit together. `joins=False` refuses that, and `nests` is for a block in which the
        caller's own code runs, and may begin another. `grows` is for what stores more: the
        bytes it adds, refused when they would leave no room for finishing what is there.
        `patience` is how many seconds to wait for the lock in place of busy_timeout.

        Raises:
            StoreBusy: No lock within busy_timeout; nothing was changed.
            StoreFull: There is no room; nothing was changed.
            OutcomeUnknown: COMMIT raised.
        """
        started = time.monotonic()
        patience = self._busy_seconds if patience is None else patience
        self.check(operation)
        held: list[bool] = []
        try:
            # In one call, which a signal's handler cannot come into; see gate.py.
            held.extend(map(self._mutex.acquire, [True], [patience]))
            if not held[0]:
                raise faults.busy(operation, self.path, started)
            self.check(operation)  # again: it may have been closed meanwhile
            end_if_left(self._block)
            if self.writing is None:
                steps = self._transaction(operation, grows, started, started + patience)
                # Behind this function stands contextlib's, and behind that the block's.
                self._block = None if nests else Block(steps, sys._getframe(2))
                try:
                    yield from steps
                finally:
                    steps.close()
                    self._block = None
            elif not joins:
                raise InvalidInput(
                    f"{operation} cannot be part of another transaction",
                    operation=operation,
                    path=self.path,
                )
            elif grows is not None and space.is_short(self.path, grows, 0):
                raise faults.short(operation, self.path)
            else:
                yield from self.writing.savepoint()
        finally:
            if True in held:
                self._mutex.release()

    def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of one statement, seen as of one moment; waits for no writer."""
        with self._reading("read", alone=False) as authorizer:
            rows: list[Row] = self._run(
                "read", lambda: authorizer.connection.execute(sql, parameters).fetchall()
            )
            return rows

    def query(
        self, sql: str, parameters: Parameters, *, seconds: float, most: int | None = None
    ) -> Table:
        """Return what a statement of the caller's answers, which may only read.

        Within a transaction of this thread it is a part of that; it waits for no other.
        """
        with self._reading("read", alone=True) as authorizer:
            return authorizer.read(sql, parameters, self.path, seconds=seconds, most=most)

    @contextmanager
    def _reading(self, operation: str, *, alone: bool) -> Iterator[Authorizer]:
        """Have the connection of this thread's transaction, or one that waits for nobody's.

        `alone` is for what may take long: another connection than the one that writes.
        """
        self.check(operation)
        writing = self.writing
        if writing is not None and writing.thread == threading.get_ident():
            self.identity.require(operation)
            yield self._authorizer
            return
        held: list[bool] = []
        try:
            if not self._is_sound:
                held.extend(map(self._mutex.acquire, [True], [self._busy_seconds]))
                if not held[0]:
                    raise faults.unlocked(operation, self.path)
                self.check(operation)
                self._mend_alone(operation)
            elif not alone:
                held.extend(map(self._mutex.acquire, [False]))
            if True in held:
                self.check(operation)
                self.identity.require(operation)
                if not alone:
                    yield self._authorizer
                    return
        finally:
            if True in held:
                self._mutex.release()
        self.identity.require(operation)
        try:
            with self._readers.one() as authorizer:
                yield authorizer
        except apsw.Error as error:
            raise translate(error, operation, self.path) from error

    @property
    def store_id(self) -> str:
        """What tells this store from every other, wherever its file lies."""
        if not self._store_id:
            ((self._store_id,),) = self.read("select store_id from fp_store")
        return self._store_id

    def now_ms(self) -> int:
        """Milliseconds on the store's clock, for what needs no lock."""
        return self._clock.now_ms()

    def checkpoint(self, *, patience: float | None = None, patient: bool = False) -> Report:
        """Move the WAL's pages into the database as far as readers allow.

        `patience` is for the gate, as in `write`; `patient` for readers.
        """
        self.check()
        with self._mutex:
            self.check()

            def run() -> Report:
                self._mend("checkpoint")
                report: Report = self._run(
                    "checkpoint", lambda: self._checkpointer.run(patient=patient)
                )
                return report

            return self._behind_gate("checkpoint", patience or self._busy_seconds, run)

    def copy_to(self, target: apsw.Connection) -> None:
        """Copy all that is committed, as of one moment; nobody waits for it."""
        self.check()
        writing = self.writing
        if writing is not None and writing.thread == threading.get_ident():
            raise InvalidInput(
                "backup cannot be part of a transaction", operation="backup", path=self.path
            )
        failed: apsw.Error | None = None
        with self._reading("backup", alone=True) as authorizer:
            try:
                copying.copy(authorizer.connection, target)
            except apsw.Error as error:
                failed = error
        if failed is not None:
            raise failed  # the caller knows which of the two files it is about

    def has_moved(self) -> bool:
        """True when SQLite no longer finds its own open file at the path."""
        self.check()
        with self._mutex:
            self.check()
            self._mend_alone("probe")
            return opening.has_moved(self._connection)

    def close(self) -> None:
        """Close the connection; twice is as good as once."""
        if os.getpid() != self._pid:
            return
        with self._mutex:
            end_if_left(self._block)
            if self.writing is not None:
                raise InvalidInput(
                    f"{self.path} cannot be closed within a transaction",
                    operation="close",
                    path=self.path,
                )
            self._readers.close()
            if not self._closed and not self._broken:
                ticket = self._end_ticket()
                self._close_connection()
                del ticket  # from here on anybody may open the file
            self._closed = True
            self._gate.close()

    def prepare(self) -> None:
        """Let no other thread be in the middle of something when this one forks."""
        self._at_rest = self._mutex.acquire(timeout=self._busy_seconds)
        self._readers.prepare()

    def resume(self) -> None:
        """Go on after a fork."""
        self._readers.resume()
        if self._at_rest:
            self._mutex.release()

    def abandon(self) -> None:
        """Close, in a forked child, the inherited connection without touching the file.

        One with an open transaction cannot be closed without harm to the parent's, so it
        lives for ever, and the child cannot open this database.
        """
        at_rest = self._at_rest and self.writing is None
        self.resume()
        self._readers.abandon()
        self._gate.abandon()
        if self._closed or self._broken:
            return
        if at_rest:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.close(True)
            self._closed = True  # for children of this child
        else:
            self._broken = True  # so that leaving the block does not roll the parent's back
            self.writing = None
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
            forks.inherit(self.identity.database)

    def _transaction(
        self, operation: str, grows: int | None, started: float, deadline: float
    ) -> Generator[Write, None, None]:
        try:
            if not self._gate.enter(deadline):
                raise faults.busy(operation, self.path, started)
            if grows is None:
                space.drop_ballast_when_exhausted(self.path)
            else:
                self._require_room(operation, grows)
            self._mend(operation)
            self.identity.require(operation)
            try:
                write = self._begin(operation, started, deadline)
                try:
                    yield write
                except apsw.Error as error:
                    if faults.is_users_own(error, self._connection):
                        raise SqlError(str(error), operation=operation, path=self.path) from error
                    raise translate(error, operation, self.path) from error
                write.check()
                self._commit(operation)
            finally:
                self.writing = None
                try:
                    if not self._broken and self._connection.in_transaction:
                        self._connection.execute("rollback")
                except apsw.Error:
                    pass  # closing a connection rolls back what it had open
                finally:
                    if not self._broken and self._connection.in_transaction:
                        self._break()
            self._checkpointer.run_when_due()
        except (StoreFull, OutcomeUnknown) as error:
            if grows is None and isinstance(error.__cause__, apsw.FullError):
                space.drop_ballast(self.path)
            raise
        finally:
            try:
                self._gate.leave()
            except BaseException:  # our audit hook is Python's, and lets a signal's handler in
                self._gate.leave()
                raise
        if write.wakes or write.freed:
            self.on_wake()
        if write.died:
            self.on_died(write.died)

    def _begin(self, operation: str, started: float, deadline: float) -> Write:
        # To SQLite's lock another library in this process is no other; it is to us.
        while (watch := self._watch) is not None and watch.is_written_here():
            if time.monotonic() >= deadline:
                raise faults.busy(operation, self.path, started)
            time.sleep(_TRESPASS_SECONDS)
        self._connection.set_busy_timeout(int(max(0.0, deadline - time.monotonic()) * 1000))
        try:
            self._connection.execute("begin immediate")
        except apsw.Error as error:
            raise translate(error, operation, self.path, time.monotonic() - started) from error
        self._commits = b"" if watch is None else watch.commits()
        self.writing = Write(
            self, self._connection, self._authorizer, self._clock.now_ms(), operation
        )
        return self.writing

    def _require_room(self, operation: str, grows: int) -> None:
        if not space.is_short(self.path, grows, space.wal_bytes(self.path)):
            return
        # What the WAL takes is there to be used again once its pages are in the database.
        self._mend(operation)
        report: Report = self._run(operation, self._checkpointer.run)
        pending = (report.pages - report.moved) * space.PAGE
        if space.is_short(self.path, grows, pending):
            raise faults.short(operation, self.path)

    def _commit(self, operation: str) -> None:
        if not self._is_sound:  # another process may be writing by now
            raise faults.unlocked(operation, self.path)
        if (watch := self._watch) is not None and watch.commits() != self._commits:
            raise faults.trespassed(operation, self.path)
        try:
            self._connection.execute("commit")
        except apsw.BusyError as error:  # a reader of a foreign kind; the transaction is whole
            raise translate(error, operation, self.path) from error
        except apsw.Error as error:
            self._break()
            raise OutcomeUnknown(
                f"{self.path}: COMMIT of {operation} failed: {error}",
                operation=operation,
                path=self.path,
            ) from error
        try:
            self.identity.require(operation)
        except StoreFailed as error:
            raise OutcomeUnknown(str(error), operation=operation, path=self.path) from error

    def _break(self) -> None:
        """Close a connection that can no longer be believed."""
        self._broken = True
        self.identity.leave_wal()
        self._readers.expire()
        ticket = self._end_ticket()
        with suppress(apsw.Error):  # it is closed all the same
            self._connection.close(True)
        del ticket
        self._gate.openings.part()

    def _end_ticket(self) -> foreign_sqlite.Ticket | None:
        """Say that the connection is closed next; what is returned is to be kept until then."""
        ticket, self._authorizer.ticket = self._authorizer.ticket, None
        if ticket is not None:
            ticket.end()
        return ticket

    def _let_go(self) -> None:
        """Close a connection that has lost its locks, unless it is in use."""
        if self._mutex.acquire(blocking=False):
            try:
                if self.writing is None and not self._closed and not self._broken:
                    self._break()
            finally:
                self._mutex.release()

    @property
    def _watch(self) -> LockSentinel | None:
        ticket = self._authorizer.ticket
        return None if ticket is None else ticket.store.watch

    @property
    def _is_sound(self) -> bool:
        """True while there is a connection and it has its locks."""
        ticket = self._authorizer.ticket
        return not self._broken and ticket is not None and ticket.store.has_locks()

    def _close_connection(self) -> None:
        openings = self._gate.openings
        if openings.has_company():  # the last to close folds the WAL
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            with suppress(apsw.Error):
                self._connection.close()
            openings.part()
            return
        # Who takes itself for the last wrongly (identity.py) meets no transaction in here.
        entered = self._gate.enter(time.monotonic() + _CLOSE_SECONDS)
        try:
            openings.part()  # first: what is left then is another one's to make durable
            if not entered or not self.identity.has_wal():
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            with suppress(apsw.Error):  # its checkpoint failed; it is closed all the same
                self._connection.close()
        finally:
            if entered:
                self._gate.leave()

    def _mend_alone(self, operation: str) -> None:
        if not self._is_sound:
            self._behind_gate(operation, self._busy_seconds, lambda: self._mend(operation))

    def _behind_gate(self, operation: str, patience: float, work: Callable[[], T]) -> T:
        # No context manager: what a signal's handler raises may leave one suspended, and the
        # gate taken; see gate.py.
        started = time.monotonic()
        try:
            if not self._gate.enter(started + patience):
                raise faults.busy(operation, self.path, started)
            return work()
        finally:
            try:
                self._gate.leave()
            except BaseException:  # our audit hook is Python's, and lets a signal's handler in
                self._gate.leave()
                raise

    def _mend(self, operation: str) -> None:
        """Open a new connection for one that is broken or has no locks; call it in the gate."""
        if self._is_sound:
            return
        if not self._broken:
            self._break()
        if not foreign_sqlite.clear_lost(self.path):
            raise faults.unlocked(operation, self.path)
        self.identity.require(operation)
        deadline = time.monotonic() + self._busy_seconds
        self._connection = self._run(
            operation,
            lambda: opening.connect(
                self.path, durability=self._durability, deadline=deadline, gate=self._gate
            ),
        )
        self._authorizer = Authorizer(self._connection)
        self._checkpointer = self._new_checkpointer()
        self.identity.take_wal()
        self._authorizer.ticket = foreign_sqlite.share(self.path, self._let_go)
        self._broken = False

    def _new_checkpointer(self) -> Checkpointer:
        write_again = partial(recovery.write_again, self._connection, self.path)
        return Checkpointer(
            self._connection,
            space.due_pages(self.path),
            write_again if self._durability == "normal" else None,
        )

    def _run(self, operation: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except apsw.Error as error:
            raise translate(error, operation, self.path) from error

    def check(self, operation: str = "use") -> None:
        """Refuse to go on with a closed store, or with one of before a fork."""
        if os.getpid() != self._pid:
            raise faults.forked(self.path, operation)
        if self._closed:
            raise InvalidInput(f"{self.path} is closed", operation=operation, path=self.path)
