"""A writer that has nothing but SQLite's own busy_timeout, to hold the gate against."""

from __future__ import annotations

import apsw


class BareWriter:
    """Inserts a row a transaction into a database of its own kind."""

    def __init__(self, path: str, busy_ms: int) -> None:
        self._connection = apsw.Connection(path)
        self._connection.set_busy_timeout(busy_ms)
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", 2)
        self._connection.wal_autocheckpoint(0)
        self._connection.execute("create table if not exists writes (writer, body)")

    def begin(self) -> bool:
        """Take the write lock; False when it was not to be had in time."""
        try:
            self._connection.execute("begin immediate")
        except apsw.BusyError:
            return False
        return True

    def insert(self, writer: str, body: bytes) -> None:
        """Insert a row and commit."""
        self._connection.execute("insert into writes values (?, ?)", (writer, body))
        self._connection.execute("commit")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
