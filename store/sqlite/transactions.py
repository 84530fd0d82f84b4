"""Users' transactions and reads on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..types.transaction import Parameters, Table
from .session.damage import tells
from .session.session import Session, Write

if TYPE_CHECKING:
    from .engine import SqliteEngine


@tells
class SqliteTransactions:
    """See fencepost.store.engine.transactions.TransactionVerbs; the methods stand in its order."""

    def __init__(self, session: Session, twin: Callable[[], SqliteEngine]) -> None:
        self._session = session
        self._twin = twin

    def begin(self, operation: str = "transaction") -> AbstractContextManager[Write]:
        return self._session.write(operation, nests=True)

    def read(
        self, sql: str, parameters: Parameters, *, timeout_ms: int, most: int | None = None
    ) -> Table:
        return self._session.query(sql, parameters, seconds=timeout_ms / 1000, most=most)

    def is_open(self) -> bool:
        write = self._session.writing
        return write is not None and write.thread == threading.get_ident()

    def twin(self) -> SqliteEngine:
        return self._twin()
