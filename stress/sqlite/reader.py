"""A reader that keeps what it reads, as an operator's tools do, or a program that forgot to end."""

from __future__ import annotations

import apsw


class Reader:
    """A connection that nothing of the store's rules binds."""

    def __init__(self, path: str) -> None:
        self._connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.set_busy_timeout(5000)

    def begin(self) -> None:
        """Begin to read; what is read stays as it is until `end`."""
        self._connection.execute("begin")
        self._connection.execute("select count(*) from fp_message").fetchall()

    def end(self) -> None:
        """End the read."""
        self._connection.execute("commit")
