"""The contract for users' transactions and reads."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from ..types.transaction import Parameters, Table, Transaction

if TYPE_CHECKING:
    from . import Engine


class TransactionVerbs(Protocol):
    """What a database does for a caller who reads and writes tables of its own.

    In all SQL of a caller, placeholders are `?`, with a sequence, and `:name`, with a mapping.
    Every engine refuses other kinds with SqlError, whatever its database takes: it asks
    rules/placeholders.py.
    """

    def begin(self, operation: str = "transaction") -> AbstractContextManager[Transaction]:
        """Hold a transaction; verbs that the same thread calls within it are a part of it.

        It commits at the end of the block, and is rolled back by an error that leaves it.
        What it has read stays true until it commits, as far as it has written there.
        Others may have to wait for it, so keep it short.

        Joins: yes; an error that leaves the block undoes the block alone.

        Raises:
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        ...

    def read(
        self, sql: str, parameters: Parameters, *, timeout_ms: int, most: int | None = None
    ) -> Table:
        """Return at most `most` rows of a statement that only reads; waits for no transaction.

        Joins: reads.

        Raises:
            SqlError: It failed, would change something, took too long, or has placeholders
                of another kind.
            StoreBusy, StoreFailed.
        """
        ...

    def is_open(self) -> bool:
        """True within a transaction that the calling thread holds.

        Joins: reads.

        Raises: nothing.
        """
        ...

    def twin(self) -> Engine:
        """Open the same store once more, for a thread that must not wait for this one's.

        Joins: no part of it; the other one sees what is committed.

        Raises:
            StoreOpenFailed, StoreBusy, StoreFull, StoreFailed, SchemaUnsupported.
        """
        ...
