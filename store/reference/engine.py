"""The store's contract in plain Python, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..clock import HostClock, SystemClock
from ..errors import SqlError
from ..types.transaction import Parameters, Table
from .durable.verbs import PlainDurable
from .keyed import PlainKeyed
from .leases import PlainLeases
from .memory import Memory, Session, Write
from .operators.verbs import PlainOperators
from .pools.verbs import PlainPools
from .queues.verbs import PlainQueue
from .upkeep import PlainUpkeep


class PlainIdentity:
    """See fencepost.store.engine.ports.identity.Identity."""

    def __init__(self, session: Session) -> None:
        self.store_id = session.memory.id
        self.address = session.address


class PlainClock:
    """See fencepost.store.engine.ports.clock.StoreClock."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def now_ms(self) -> int:
        return self._session.now_ms()

    def wall_ms(self) -> int:
        return self._session.clock.wall_ms()

    def stopwatch_ms(self) -> int:
        return self._session.clock.boot_ms()


class PlainWakeup:
    """See fencepost.store.engine.ports.wakeup.Wakeup."""

    poll_seconds = 0.5

    def __init__(self, session: Session) -> None:
        self._session = session

    def fileno(self) -> int | None:
        return self._session.bell()

    def clear(self) -> None:
        self._session.hush()


class PlainTransactions:
    """See fencepost.store.engine.transactions.TransactionVerbs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def begin(self, operation: str = "transaction") -> Iterator[Write]:
        with self._session.write(operation) as write:
            yield write

    def read(
        self, sql: str, parameters: Parameters, *, timeout_ms: int, most: int | None = None
    ) -> Table:
        self._session.check("read")
        raise SqlError("a plain store runs no SQL", operation="read", path=self._session.address)

    def is_open(self) -> bool:
        return self._session.mine() is not None

    def twin(self) -> PlainEngine:
        self._session.check("twin")
        return PlainEngine(self._session.clock, self._session.memory, self._session.busy_seconds)


class PlainEngine:
    """See fencepost.store.engine.Engine.

    Engines that are given the same memory are openings of one store.
    """

    def __init__(
        self,
        clock: HostClock | None = None,
        memory: Memory | None = None,
        busy_seconds: float = 5.0,
    ) -> None:
        self.session = Session(memory or Memory(), clock or SystemClock(), busy_seconds)
        self.identity = PlainIdentity(self.session)
        self.clock = PlainClock(self.session)
        self.wakeup = PlainWakeup(self.session)
        self.queue = PlainQueue(self.session)
        self.durable = PlainDurable(self.session, self.queue)
        self.pools = PlainPools(self.session)
        self.operators = PlainOperators(self.session, self.pools)
        self.keyed = PlainKeyed(self.session)
        self.leases = PlainLeases(self.session)
        self.transactions = PlainTransactions(self.session)
        self.upkeep = PlainUpkeep(self.session)

    def close(self) -> None:
        self.session.close()
        self.durable.ends.close()
