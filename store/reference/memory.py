"""A store and its openings: one writer at a time, who works on a copy and commits it whole.

Who reads waits for nobody, and sees what is committed; within a transaction of its own
thread, what is written there.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..clock import HostClock
from ..errors import InvalidInput, LeaseLost, SqlError, StoreBusy
from ..types.messages.death import Death
from ..types.transaction import Parameters, Row
from .rows import EntryRow
from .tables import Name, Tables


class Numbers:
    """Where a store gets its numbers and secrets from; the simulation gives it others."""

    def next(self, tables: Tables, kind: str) -> int:
        """Return a number that no other of its kind has had."""
        number = tables.last[kind] = tables.last.get(kind, 0) + 1
        return number

    def fence(self, tables: Tables, what: str) -> int:
        """Return a fence for a lease of `what`, greater than all before."""
        return self.next(tables, "fence")

    def token(self, what: str) -> str:
        """Return a secret for a lease of `what`."""
        return secrets.token_hex(16)


class Memory:
    """One store.

    Attributes:
        tables: What is committed.
        leader: Who does the upkeep.
        openings: Who has it open; what lives with one ends when it is closed.
        boot_id, offset_ms: Of the machine's boot that its clock goes by.
        seen_ms: Its clock was never before this.
    """

    def __init__(self, numbers: Numbers | None = None) -> None:
        self.id = f"store-{secrets.token_hex(16)}"
        self.seed = secrets.token_bytes(32)
        self.numbers = numbers or Numbers()
        self.tables = Tables()
        self.lock = threading.Lock()  # of who writes
        self.guard = threading.Lock()  # of the list of openings, for a moment
        self.openings: list[Session] = []
        self.leader: Session | None = None
        self.boot_id: str | None = None
        self.offset_ms = 0
        self.seen_ms = 0

    def begin_boot(self, clock: HostClock, now_ms: int) -> None:
        """Let the clock go on from here with another boot of the machine; all leases end."""
        self.boot_id, self.offset_ms = clock.boot_id(), now_ms - clock.boot_ms()
        tables = self.tables = self.tables.copy()
        for id, row in tables.deliveries.items():
            if row.state == "leased":
                tables.deliveries[id] = row._replace(until_ms=0)
        for name, lease in tables.leases.items():
            if lease.token is not None:
                tables.leases[name] = lease._replace(until_ms=0)
        for key, claim in tables.once.items():
            if claim.state == "claimed":
                tables.once[key] = claim._replace(until_ms=0)


class Write:
    """A transaction.

    Attributes:
        tables: A copy of its own.
        now: The store's clock when it began.
        wakes: Something can be claimed now, or will be; said once it is committed.
        died: The deliveries that have become dead letters; told once it is committed.
        ended: The messages of which a delivery has ended; told once it is committed.
    """

    def __init__(self, session: Session, operation: str) -> None:
        self.session = session
        self.operation = operation
        self.thread = threading.get_ident()
        self.tables = session.memory.tables.copy()
        self.now = session.now_ms()
        self.wakes = False
        self.died: list[Death] = []
        self.ended: set[int] = set()
        self._own: set[Name] = set()

    def entries(self, at: Name) -> dict[str, EntryRow]:
        """Return the entries of a namespace, to be changed."""
        if at not in self._own:
            self.tables.entries[at] = dict(self.tables.entries.get(at, {}))
            self._own.add(at)
        return self.tables.entries[at]

    def next(self, kind: str) -> int:
        """Return a number that no other of its kind has had."""
        return self.session.memory.numbers.next(self.tables, kind)

    def fence(self, what: str) -> int:
        """Return a fence for a lease of `what`."""
        return self.session.memory.numbers.fence(self.tables, what)

    def lost(self, what: str, cause: str, operation: str) -> LeaseLost:
        """Return the error for a lease that does not hold."""
        return LeaseLost(
            what,
            cause=cause,
            operation=operation,
            path=self.session.address,
            store_id=self.session.memory.id,
        )

    def execute(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Refuse: a plain store has no tables of its users."""
        ended = self.session.writing is not self
        raise SqlError(
            "the transaction has ended" if ended else "a plain store runs no SQL",
            operation=self.operation if ended else "execute",
            path=self.session.address,
        )

    @contextmanager
    def part(self) -> Iterator[Write]:
        """Undo the block alone when it raises."""
        was = self.tables, self.wakes, list(self.died)
        own, self._own = self._own, set()
        self.tables = self.tables.copy()
        try:
            yield self
            self._own |= own
        except BaseException:
            self.tables, self.wakes, self.died = was
            self._own = own
            raise


class Session:
    """An opening of a store."""

    def __init__(self, memory: Memory, clock: HostClock, busy_seconds: float) -> None:
        self.memory = memory
        self.clock = clock
        self.busy_seconds = busy_seconds
        self.address = f"plain:{memory.id}"
        self.writing: Write | None = None
        self._bell: int | None = None
        self.on_died: Callable[[list[Death]], None] = lambda _: None
        self.on_ended: Callable[[set[int]], None] = lambda _: None
        with memory.guard:
            if memory.boot_id != clock.boot_id():
                memory.begin_boot(clock, max(clock.wall_ms(), memory.seen_ms))
            memory.openings.append(self)

    @property
    def is_open(self) -> bool:
        """False once it was closed."""
        return self in self.memory.openings

    def check(self, operation: str) -> None:
        """Refuse what comes after the end."""
        if not self.is_open:
            raise InvalidInput(f"{self.address} is closed", operation=operation, path=self.address)

    def check_leads(self) -> bool:
        """True when this opening does the upkeep: the first that asked, while it is open."""
        self.check("tick")
        if self.memory.leader not in self.memory.openings:
            self.memory.leader = self
        return self.memory.leader is self

    def now_ms(self) -> int:
        """Return the store's time."""
        return self.clock.boot_ms() + self.memory.offset_ms

    def mine(self) -> Write | None:
        """Return the transaction that this thread is in."""
        write = self.writing
        return write if write is not None and write.thread == threading.get_ident() else None

    def read(self, operation: str = "read") -> Tables:
        """Return what this thread can see."""
        self.check(operation)
        write = self.mine()
        return self.memory.tables if write is None else write.tables

    @contextmanager
    def write(
        self, operation: str, *, joins: bool = True, patience: float | None = None
    ) -> Iterator[Write]:
        """Hold a transaction, or a part of the one that this thread is in.

        Raises:
            InvalidInput: It cannot be a part of one (`joins`).
            StoreBusy: Another had the lock for as long as it waited.
        """
        self.check(operation)
        outer = self.mine()
        if outer is not None:
            if not joins:
                raise InvalidInput(
                    f"{operation} cannot be part of another transaction",
                    operation=operation,
                    path=self.address,
                )
            with outer.part():
                yield outer
            return
        with self._alone(operation, self.busy_seconds if patience is None else patience):
            write = self.writing = Write(self, operation)
            try:
                yield write
                self.memory.tables = write.tables
                self.memory.seen_ms = max(self.memory.seen_ms, write.now)
            finally:
                self.writing = None
        if write.wakes:
            self._wake()
        if write.died:
            self.on_died(write.died)
        if write.ended:
            self._tell(write.ended)

    @contextmanager
    def _alone(self, operation: str, patience: float) -> Iterator[None]:
        began = time.monotonic()
        if not self.memory.lock.acquire(timeout=patience):
            raise StoreBusy(
                operation=operation,
                path=self.address,
                waited=time.monotonic() - began,
                holders=(os.getpid(),),
            )
        try:
            self.check(operation)
            yield
        finally:
            self.memory.lock.release()

    def _wake(self) -> None:
        with self.memory.guard:
            for opening in self.memory.openings:
                if opening._bell is not None:
                    with suppress(BlockingIOError):  # it is full, and so readable
                        os.eventfd_write(opening._bell, 1)

    def _tell(self, ended: set[int]) -> None:
        with self.memory.guard:
            openings = list(self.memory.openings)
        for opening in openings:
            opening.on_ended(ended)

    def bell(self) -> int:
        """Return a descriptor that is readable once something may be claimable, until `hush`."""
        with self.memory.guard:
            self.check("fileno")
            if self._bell is None:
                self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return self._bell

    def hush(self) -> None:
        """Forget the wake-ups so far."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.bell())

    def close(self) -> None:
        """Give it up; twice is as good as once."""
        if self.mine() is not None:
            raise InvalidInput(
                f"{self.address} cannot be closed within a transaction",
                operation="close",
                path=self.address,
            )
        with self.memory.guard:
            if self.is_open:
                self.memory.openings.remove(self)
                if self._bell is not None:
                    os.close(self._bell)
