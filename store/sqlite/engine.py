"""The engine: its parts and ports."""

from __future__ import annotations

import contextlib
import dataclasses

from ..engine.driver import OpenOptions
from .durable_verbs import SqliteDurable
from .file import paths
from .keyed.engine import SqliteKeyed
from .leases.named_leases import SqliteLeases
from .locks import forks
from .locks.live_bytes import Liveness
from .locks.wakeup_fifo import Wakeup
from .operator_verbs import SqliteOperators
from .pools.register import SqlitePools
from .ports import SqliteClock, SqliteIdentity, SqliteWakeup
from .queue_verbs import SqliteQueue
from .session.session import Session
from .transactions import SqliteTransactions
from .upkeep.upkeep import SqliteUpkeep


class SqliteEngine:
    """See fencepost.store.engine.Engine."""

    def __init__(self, path: str, options: OpenOptions) -> None:
        path = paths.locate(path)
        paths.require(path, create=options.create)
        with contextlib.ExitStack() as undo, paths.beside(path):
            self._session = Session(
                path,
                clock=options.clock,
                busy_seconds=options.busy_seconds,
                durability=options.durability,
                checksums=options.checksums,
            )
            undo.callback(self._session.close)
            self._wakeup = Wakeup(path + "-wakeup")
            undo.callback(self._wakeup.close)
            self._liveness = Liveness(path + "-alive")
            undo.pop_all()
        self._session.on_wake = self._wakeup.wake
        again = dataclasses.replace(options, create=False, checksums=False)
        self.identity = SqliteIdentity(self._session)
        self.clock = SqliteClock(self._session, options.clock)
        self.wakeup = SqliteWakeup(self._session, self._wakeup)
        self.pools = SqlitePools(self._session, self._liveness)
        self.queue = SqliteQueue(self._session)
        self.durable = SqliteDurable(self._session, self.queue)
        self.operators = SqliteOperators(self._session, self.pools)
        self.keyed = SqliteKeyed(self._session)
        self.leases = SqliteLeases(self._session)
        self.transactions = SqliteTransactions(self._session, lambda: SqliteEngine(path, again))
        self.upkeep = SqliteUpkeep(self._session, self._liveness, options.clock)
        forks.watch(self._wakeup)
        forks.watch(self._liveness)

    def close(self) -> None:
        self._session.close()
        self.durable.ends.close()
        self._wakeup.close()
        self._liveness.close()
