"""Read-only connections, which do not wait for writers."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw

from ..file import checksums as page_checksums
from ..file import paths
from ..locks import foreign_sqlite, forks
from . import settings
from .authorizer import Authorizer

# Kept for the next reads. More are opened when more threads read at once, and closed again.
_KEPT = 2

# A reader has to wait only for a moment in which another process recovers the WAL.
_BUSY_MS = 5000


def connect(path: str, *, checksums: bool | None = None) -> apsw.Connection:
    """Return a hardened connection that cannot write; None for checksums looks at the file.

    It may write the WAL's shared memory, which every reader does, and never checkpoints.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
    if checksums:
        page_checksums.load(path)
    connection = apsw.Connection(path, flags=flags, vfs=page_checksums.VFS if checksums else None)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        settings.harden(connection)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.wal_autocheckpoint(0)
        connection.pragma("temp_store", 2)
        connection.pragma("cell_size_check", 1)
        connection.pragma("query_only", 1)
        if checksums is None:
            connection.pragma("schema_version")
            if page_checksums.has(connection):
                connection.close()
                return connect(path, checksums=True)
    except BaseException:
        connection.close()
        raise
    return connection


def copy(source: apsw.Connection, target: apsw.Connection) -> None:
    """Copy all that is committed, while other processes write on."""
    with target.backup("main", source, "main") as backup:
        backup.step(-1)  # a copy in parts begins anew with each commit of somebody else's


class Readers:
    """The read connections of one session, for whichever of its threads reads."""

    def __init__(self, path: str, *, checksums: bool) -> None:
        self._path = path
        self._checksums = checksums
        self._lock = threading.Lock()
        self._idle: list[Authorizer] = []
        self._busy: list[Authorizer] = []
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[Authorizer]:
        """Have a connection for one read that no other thread uses meanwhile."""
        with self._lock:
            authorizer = self._idle.pop() if self._idle else None
            if authorizer is not None:
                self._busy.append(authorizer)
        if authorizer is None:
            authorizer = self._open()
            with self._lock:
                self._busy.append(authorizer)
        try:
            yield authorizer
        finally:
            self._give_back(authorizer)

    def expire(self) -> None:
        """Close those that nobody uses now, and the others after their read."""
        with self._lock:
            idle, self._idle, self._busy = self._idle, [], []
        for authorizer in idle:
            _close(authorizer)

    def close(self) -> None:
        """Close all; one that is read with now is closed after its read."""
        self._closed = True
        self.expire()

    def prepare(self) -> None:
        """Come to rest before a fork."""
        self._lock.acquire()

    def resume(self) -> None:
        """Go on after a fork."""
        self._lock.release()

    def abandon(self) -> None:
        """Let go, in a forked child, of what belongs to the parent.

        One that another thread was reading with cannot be closed without harm to the
        parent, so it lives for ever, and the child cannot open this database.
        """
        for authorizer in self._busy:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(authorizer.connection))
            forks.inherit(paths.identity(self._path))
        self.close()

    def _open(self) -> Authorizer:
        connection = connect(self._path, checksums=self._checksums)
        try:
            connection.pragma("schema_version")  # the locks are taken with the first read
        except BaseException:
            connection.close()
            raise
        authorizer = Authorizer(connection)
        authorizer.ticket = foreign_sqlite.share(self._path, self.expire)
        return authorizer

    def _give_back(self, authorizer: Authorizer) -> None:
        with self._lock:
            keep = authorizer in self._busy and not self._closed and len(self._idle) < _KEPT
            if authorizer in self._busy:
                self._busy.remove(authorizer)
            if keep:
                self._idle.append(authorizer)
        if not keep:
            _close(authorizer)


def _close(authorizer: Authorizer) -> None:
    if authorizer.ticket is not None:
        authorizer.ticket.end()
    with suppress(apsw.Error):
        authorizer.connection.close(True)
