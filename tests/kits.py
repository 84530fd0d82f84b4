"""The engines under test: how each is opened, locked and checked, and what it has."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from fencepost import Store, connect
from fencepost.store.clock import HostClock
from fencepost.store.reference.engine import PlainEngine
from fencepost.store.reference.memory import Memory
from fencepost.store.reference.upkeep import broken
from fencepost.store.types.transaction import Transaction

from .clock import FakeClock
from .sqlite import invariants
from .sqlite.inside import held_gate


class Lock(Protocol):
    """What lets one transaction of a store begin at a time."""

    def enter(self, deadline: float) -> bool: ...

    @property
    def leave(self) -> Callable[[], object]: ...


class Kit(Protocol):
    """One engine, and one store on it that is not there yet.

    Attributes:
        clock: Of the machine that the store is on.
        has_sql: Callers may have tables of their own.
        has_processes: Other processes can open the store by its address.
    """

    clock: FakeClock
    has_sql: bool
    has_processes: bool

    @property
    def address(self) -> str:
        """What connect() takes; only where processes can open it."""
        ...

    def open(
        self,
        *,
        clock: HostClock | None = None,
        busy_timeout: float = 5.0,
        durability: str = "full",
    ) -> Store:
        """Open the store once more."""
        ...

    def elsewhere(self) -> Kit:
        """Return the kit of another store on this engine."""
        ...

    def locked(self) -> contextlib.AbstractContextManager[Lock, bool | None]:
        """Hold the lock that each transaction of the store needs."""
        ...

    def check(self) -> None:
        """Fail when the store is not as it must be between two transactions."""
        ...


class SqliteKit:
    """SQLite, on a file."""

    has_sql = True
    has_processes = True

    def __init__(self, folder: Path, clock: FakeClock, name: str = "store.db") -> None:
        self.clock = clock
        self.address = str(folder / name)
        self._folder = folder

    def open(
        self,
        *,
        clock: HostClock | None = None,
        busy_timeout: float = 5.0,
        durability: str = "full",
    ) -> Store:
        return connect(
            self.address,
            clock=clock or self.clock,
            busy_timeout=busy_timeout,
            durability=durability,
        )

    def elsewhere(self) -> Kit:
        return SqliteKit(self._folder, self.clock, "other.db")

    @contextlib.contextmanager
    def locked(self) -> Iterator[Lock]:
        with held_gate(self.address) as gate:
            yield gate

    def check(self) -> None:
        if Path(self.address).exists():  # a test may have moved it away
            invariants.check(self.address)


class PlainKit:
    """The reference in plain Python, in memory."""

    has_sql = False
    has_processes = False

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.memory = Memory()

    @property
    def address(self) -> str:
        raise AssertionError("no other process can open it")

    def open(
        self,
        *,
        clock: HostClock | None = None,
        busy_timeout: float = 5.0,
        durability: str = "full",
    ) -> Store:
        return Store(PlainEngine(clock or self.clock, self.memory, busy_timeout))

    def elsewhere(self) -> Kit:
        return PlainKit(Path(), self.clock)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Lock]:
        lock = _MemoryLock(self.memory)
        assert lock.enter(1e12)
        try:
            yield lock
        finally:
            lock.leave()

    def check(self) -> None:
        assert broken(self.memory.tables) == []


class _MemoryLock:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._is_held = False

    def enter(self, deadline: float) -> bool:
        patience = max(0.0, min(60.0, deadline - time.monotonic()))
        self._is_held = self._memory.lock.acquire(timeout=patience)
        return self._is_held

    def leave(self) -> None:
        if self._is_held:
            self._is_held = False
            self._memory.lock.release()


KITS: dict[str, type[SqliteKit | PlainKit]] = {"sqlite": SqliteKit, "plain": PlainKit}


class Effects:
    """What a caller writes in transactions: in a table where there is SQL, else in keyed state."""

    def __init__(self, store: Store, *, has_sql: bool) -> None:
        self._store = store
        self._has_sql = has_sql
        if has_sql:
            with store.transaction() as tx:
                tx.execute("create table if not exists effects (what)")

    def on(self, store: Store) -> Effects:
        """Return the same for another opening of the store."""
        other = copy.copy(self)
        other._store = store
        return other

    def write(self, tx: Transaction, what: Any) -> None:
        """Write a value, as a part of a transaction that this thread is in."""
        if self._has_sql:
            tx.execute("insert into effects values (?)", (what,))
        else:
            keyed = self._store.keyed("test", "effects")
            keyed.register(f"{keyed.count():06}", what)

    def seen(self) -> list[Any]:
        """Return what was written and committed, in its order."""
        if not self._has_sql:
            return [entry.value for entry in self._store.keyed("test", "effects").range()]
        rows = self._store.read("select what from effects order by rowid")
        return [what for (what,) in rows]
