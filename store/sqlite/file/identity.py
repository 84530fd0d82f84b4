"""File identity: detecting files of an open database that were moved or replaced.

The WAL is the database's as long as anybody has it open: the last to close takes it away.
Who is last is told by locks, and a process that opens and closes the files by itself loses
its own (paths.py). What it commits from then on would be in a file without a name.
"""

from __future__ import annotations

import os

from ...errors import StoreFailed
from . import paths
from .status import look


class FileIdentity:
    """Which files an open connection has."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._wal_path = path + "-wal"
        self._name, self._wal_name = os.fsencode(path), os.fsencode(self._wal_path)
        self.database = paths.identity(path)
        self.take_wal()

    def take_wal(self) -> None:
        """Expect the WAL that is there now."""
        self._wal = paths.identity(self._wal_path)
        self._expects_wal = True

    def leave_wal(self) -> None:
        """Expect none: the connection is closed, and others may come and go."""
        self._expects_wal = False

    def has_wal(self) -> bool:
        """True while the WAL is the one expected."""
        return not self._expects_wal or paths.identity(self._wal_path) == self._wal

    def require(self, operation: str) -> int:
        """Refuse to go on with files that are no longer the ones at the path.

        Returns the size of the WAL, 0 when none is expected.

        Raises:
            StoreFailed: One was moved, unlinked or replaced; nothing was changed.
        """
        try:
            same = look(self._name)[0] == self.database
        except OSError:
            same = False
        if not same:
            raise StoreFailed(
                f"{self._path} was moved or replaced while it was open",
                operation=operation,
                path=self._path,
            )
        if not self._expects_wal:
            return 0
        try:
            found, size = look(self._wal_name)
            same = found == self._wal
        except OSError:
            same, size = self._wal is None, 0
        if not same:
            raise StoreFailed(
                f"{self._path}-wal was moved or replaced while it was open; open the store anew",
                operation=operation,
                path=self._path,
            )
        return size
