"""The session: write transactions, reads and checkpoints, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import apsw

from ...clock import HostClock
from ...errors import InvalidInput
from ...types.messages.death import Death
from ...types.transaction import Parameters, Row, Table
from ..file.checkpoint import Report
from ..file.identity import FileIdentity
from ..locks.signal_safe import record
from . import faults, readers, settings
from .authorizer import Authorizer
from .database import Database
from .transactions import Block
from .write import STORE_ID, Write

__all__ = ["Session", "Write"]


class Session:
    """What the engine's verbs do with one database.

    Attributes:
        on_died: Called after a commit with the deliveries that have become dead letters.
        on_told: Called after a commit with ears, each with a message that has ended.
        on_wake: Called after a commit that has given workers something to do.
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
        self._database = Database(
            path,
            clock=clock,
            busy_seconds=busy_seconds,
            durability=durability,
            checksums=checksums,
        )
        self.on_wake: Callable[[], None] = lambda: None
        self.on_told: Callable[[Sequence[Row]], None] = lambda _: None
        self.on_died: Callable[[list[Death]], None] = lambda _: None

    @property
    def writing(self) -> Write | None:
        """The open write transaction, None when there is none."""
        return self._database.writing

    @property
    def exposed(self) -> tuple[str, ...]:
        """The files that group or others had access to before this opening."""
        return self._database.exposed

    @property
    def identity(self) -> FileIdentity:
        """Which files this opening has."""
        return self._database.identity

    @property
    def has_checksums(self) -> bool:
        """True when each page of the database carries a checksum."""
        return self._database.has_checksums

    def write(
        self,
        operation: str,
        *,
        joins: bool = True,
        nests: bool = False,
        grows: int | None = None,
        patience: float | None = None,
        batch: bool = False,
    ) -> Block:
        """Return a `with` block of a write transaction, which commits at its end.

        Within another one of the same thread it is a savepoint of that one: both commit
        together. It is entered once, by the function that runs it.

        Args:
            joins: False refuses to be part of another transaction.
            nests: The caller's own code runs in the block, and may begin another.
            grows: The bytes that the block adds, None when it adds none. They are refused
                when they would leave no room for finishing what is there.
            patience: How many seconds to wait for the lock in place of busy_timeout.
            batch: Others like it are going to follow at once; see Gate.enter.

        Raises:
            StoreBusy: The lock was not free in time; nothing was changed.
            StoreFull: There is no room; nothing was changed.
            OutcomeUnknown: COMMIT raised.
        """
        if patience is None:
            patience = self._busy_seconds
        return Block(self, self._database, operation, joins, nests, grows, patience, batch)

    def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of one statement, seen as of one moment; waits for no writer."""
        with self._reading("read", alone=False) as authorizer:
            rows: list[Row] = self._database.run(
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
        """Have the connection of this thread's transaction, or one that waits for no writer.

        `alone` is for what may take long: another connection than the one that writes.
        """
        database = self._database
        self.check(operation)
        if self._is_writing_here():
            database.identity.require(operation)
            yield database.authorizer
            return
        taken: list[bool] = []
        try:
            if not database.is_sound:
                record(taken, database.mutex.acquire, True, self._busy_seconds)
                if not taken[0]:
                    raise faults.unlocked(operation, self.path)
                self.check(operation)
                database.mend_alone(operation)
            elif not alone:
                record(taken, database.mutex.acquire, False)
            if True in taken:
                self.check(operation)
                database.identity.require(operation)
                if not alone:
                    yield database.authorizer
                    return
        finally:
            if True in taken:
                database.mutex.release()
        database.identity.require(operation)
        try:
            with database.readers.one() as authorizer:
                yield authorizer
        except apsw.Error as error:
            raise faults.translate(error, operation, self.path) from error

    def _is_writing_here(self) -> bool:
        """True within a write transaction of this thread."""
        writing = self._database.writing
        return writing is not None and writing.thread == threading.get_ident()

    @property
    def store_id(self) -> str:
        """What tells this store from every other, wherever its file lies."""
        database = self._database
        if not database.store_id:
            ((database.store_id,),) = self.read(STORE_ID)
        return database.store_id

    def now_ms(self) -> int:
        """Milliseconds on the store's clock, for what needs no lock."""
        return self._database.clock.now_ms()

    def checkpoint(self, *, patience: float | None = None, patient: bool = False) -> Report:
        """Move the WAL's pages into the database as far as readers allow.

        `patience` is for the gate, as in `write`; `patient` for readers.
        """
        database = self._database
        self.check()
        with database.mutex:
            self.check()

            def run() -> Report:
                database.mend("checkpoint")
                report: Report = database.run(
                    "checkpoint", lambda: database.checkpointer.run(patient=patient)
                )
                return report

            return database.behind_gate("checkpoint", patience or self._busy_seconds, run)

    def copy_to(self, target: apsw.Connection) -> None:
        """Copy all that is committed, as of one moment; nobody waits for it."""
        self.check()
        if self._is_writing_here():
            raise InvalidInput(
                "backup cannot be part of a transaction", operation="backup", path=self.path
            )
        failed: apsw.Error | None = None
        with self._reading("backup", alone=True) as authorizer:
            try:
                readers.copy(authorizer.connection, target)
            except apsw.Error as error:
                failed = error
        if failed is not None:
            raise failed  # the caller knows which of the two files it is about

    def has_moved(self) -> bool:
        """True when SQLite no longer finds its own open file at the path."""
        self.check()
        with self._database.mutex:
            self.check()
            self._database.mend_alone("probe")
            return settings.has_moved(self._database.connection)

    def check(self, operation: str = "use") -> None:
        """Refuse to go on with a closed store, or with one from before a fork."""
        self._database.check(operation)

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._database.close()
