"""The writing connection: opened, replaced when it is not reliable, closed."""

from __future__ import annotations

import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from ...clock import HostClock
from ...errors import InvalidInput, SchemaUnsupported, StoreCorrupt
from ..file import checksums as page_checksums
from ..file import paths, space
from ..file.checkpoint import Checkpointer
from ..file.identity import FileIdentity
from ..locks import foreign_sqlite, forks
from ..locks.gate import Gate
from ..locks.lost_locks import LockSentinel
from . import damage, faults, opening, recovery
from .authorizer import Authorizer
from .readers import Readers
from .write import Write

if TYPE_CHECKING:
    from .transactions import Block

T = TypeVar("T")

# The next opening reads a WAL that was left behind, so a close does not wait long to fold it.
_CLOSE_SECONDS = 0.5


class Database:
    """One connection to one database, on which the threads of this process take turns.

    Attributes:
        mutex: Held by the thread whose turn it is.
        gate: The lock that this process takes before it writes.
        connection: The one that writes. After an error that leaves it in doubt it is closed,
            and `mend` opens another.
        writing: The open write transaction, None when there is none.
        block: The block that has the mutex for a transaction, None when none has.
        clock: The store's clock.
        exposed: The files that group or others had access to before this opening.
        identity: Which files this opening has.
        has_checksums: Each page of the database carries a checksum.
        store_id: The store's id once somebody has asked for it, else "".
        broken: The connection was closed, and not yet replaced.
        closed: The store was closed.
    """

    def __init__(
        self, path: str, *, clock: HostClock, busy_seconds: float, durability: str, checksums: bool
    ) -> None:
        self.path = path
        self.busy_seconds = busy_seconds
        self._durability = durability
        self._pid = os.getpid()
        self.mutex = threading.RLock()
        self.writing: Write | None = None
        self.block: weakref.ref[Block] | None = None
        self.store_id = ""
        self.broken = False
        self.closed = False
        self._at_rest = False
        if forks.inherited(paths.identity(path)):
            raise faults.forked(self.path)
        self.gate = Gate(path + "-gate")
        try:
            with damage.told(path, "open"):
                self.connection, self.clock, self.exposed = opening.open_database(
                    path,
                    self.gate,
                    clock=clock,
                    durability=durability,
                    patience=busy_seconds,
                    checksums=checksums,
                )
        except BaseException as error:
            if isinstance(error, SchemaUnsupported | StoreCorrupt):
                self.gate.remove_if_made()
            self.gate.close()
            raise
        self.gate.says_turns = True
        self.identity = FileIdentity(path)
        self._begin_use()
        self.has_checksums = page_checksums.has(self.connection)
        self.readers = Readers(path, checksums=self.has_checksums)
        forks.watch(self)

    def check(self, operation: str = "use") -> None:
        """Refuse to go on with a closed store, or with one from before a fork."""
        if os.getpid() != self._pid:
            raise faults.forked(self.path, operation)
        if self.closed:
            raise InvalidInput(f"{self.path} is closed", operation=operation, path=self.path)

    def run(self, operation: str, work: Callable[[], Any]) -> Any:
        """Return what the work returns; SQLite's errors become the store's."""
        try:
            return work()
        except apsw.Error as error:
            raise faults.translate(error, operation, self.path) from error

    def behind_gate(self, operation: str, patience: float, work: Callable[[], T]) -> T:
        """Return what the work returns that is done in the gate, where no other writes.

        Raises:
            StoreBusy: The gate was not free within `patience` seconds.
        """
        # No context manager: what a signal's handler raises may leave one suspended, and the
        # gate taken; see signal_safe.py.
        started = time.monotonic()
        try:
            if not self.gate.enter(started + patience):
                raise faults.busy(operation, self.path, started)
            return work()
        finally:
            self.gate.leave()

    @property
    def sentinel(self) -> LockSentinel | None:
        """What tells whether this process still has its locks."""
        ticket = self.authorizer.ticket
        return None if ticket is None else ticket.store.watch

    @property
    def is_sound(self) -> bool:
        """True while there is a connection and it has its locks."""
        ticket = self.authorizer.ticket
        return not self.broken and ticket is not None and ticket.store.has_locks()

    def mend(self, operation: str) -> None:
        """Replace a connection that is broken or has lost its locks; call it in the gate."""
        if self.is_sound:
            return
        if not self.broken:
            self.break_off()
        if not foreign_sqlite.clear_lost(self.path):
            raise faults.unlocked(operation, self.path)
        self.identity.require(operation)
        deadline = time.monotonic() + self.busy_seconds
        self.connection = self.run(
            operation,
            lambda: opening.connect(
                self.path, durability=self._durability, deadline=deadline, gate=self.gate
            ),
        )
        self.identity.take_wal()
        self._begin_use()
        self.broken = False

    def mend_alone(self, operation: str) -> None:
        """Do the same without being in the gate."""
        if not self.is_sound:
            self.behind_gate(operation, self.busy_seconds, lambda: self.mend(operation))

    def break_off(self) -> None:
        """Close a connection that can no longer be trusted."""
        self.broken = True
        self.identity.leave_wal()
        self.readers.expire()
        ticket = self._end_use()
        with suppress(apsw.Error):  # it is closed all the same
            self.connection.close(True)
        del ticket
        self.gate.openings.part()

    def close(self) -> None:
        """Close the connection; a second call does nothing.

        Raises:
            InvalidInput: A transaction is open; nothing was closed.
        """
        if os.getpid() != self._pid:
            return
        with self.mutex:
            if self.block and (block := self.block()):
                block.end_if_left()
            if self.writing is not None:
                raise InvalidInput(
                    f"{self.path} cannot be closed within a transaction",
                    operation="close",
                    path=self.path,
                )
            self.readers.close()
            if not self.closed and not self.broken:
                ticket = self._end_use()
                self._close_connection()
                del ticket  # from here on other libraries may open the file
            self.closed = True
            self.gate.close()

    def prepare(self) -> None:
        """Wait, before this thread forks, until no other thread is using the connection."""
        self._at_rest = self.mutex.acquire(timeout=self.busy_seconds)
        self.readers.prepare()

    def resume(self) -> None:
        """Go on after a fork."""
        self.readers.resume()
        if self._at_rest:
            self.mutex.release()

    def abandon(self) -> None:
        """Close, in a forked child, the inherited connection without touching the file.

        One with an open transaction cannot be closed without harm to the parent's. It is
        never closed then, and the child cannot open this database.
        """
        at_rest = self._at_rest and self.writing is None
        self.resume()
        self.readers.abandon()
        self.gate.abandon()
        if self.closed or self.broken:
            return
        if at_rest:
            self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self.connection.close(True)
            self.closed = True  # for children of this child
        else:
            self.broken = True  # so that leaving the block does not roll the parent's back
            self.writing = None
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))
            forks.inherit(self.identity.database)

    def _begin_use(self) -> None:
        """Give a new connection its authorizer, its checkpointer, and its place on the list."""
        self.authorizer = Authorizer(self.connection)
        # Only a checkpoint syncs the commits of "normal"; see Checkpointer.
        write_again = partial(recovery.write_again, self.connection, self.path)
        self.checkpointer = Checkpointer(
            self.connection,
            space.due_pages(self.path),
            write_again if self._durability == "normal" else None,
        )
        self.authorizer.ticket = foreign_sqlite.share(self.path, self._let_go)

    def _end_use(self) -> foreign_sqlite.Ticket | None:
        """Take a connection off the list; keep what is returned until it is closed."""
        ticket, self.authorizer.ticket = self.authorizer.ticket, None
        if ticket is not None:
            ticket.end()
        return ticket

    def _let_go(self) -> None:
        """Close a connection that has lost its locks, unless it is in use."""
        if self.mutex.acquire(blocking=False):
            try:
                if self.writing is None and not self.closed and not self.broken:
                    self.break_off()
            finally:
                self.mutex.release()

    def _close_connection(self) -> None:
        openings = self.gate.openings
        if openings.has_company():  # the last to close folds the WAL
            self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            with suppress(apsw.Error):
                self.connection.close()
            openings.part()
            return
        # A process that wrongly takes itself for the last (identity.py) meets no transaction here.
        entered = self.gate.enter(time.monotonic() + _CLOSE_SECONDS)
        try:
            openings.part()  # first: what is left then is for another to make durable
            if not entered or not self.identity.has_wal():
                self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            with suppress(apsw.Error):  # its checkpoint failed; it is closed all the same
                self.connection.close()
        finally:
            if entered:
                self.gate.leave()
