"""SQLite's errors as Fencepost's errors."""

from __future__ import annotations

import time

import apsw

from ...errors import (
    FencepostError,
    ForkedStore,
    SqlError,
    StoreBusy,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
)
from ..locks import lock_holders
from . import damage

_UNSOUND = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.SQLError,
    apsw.SchemaChangeError,
    apsw.FormatError,
    apsw.EmptyError,
    apsw.InternalError,
)

_REFERS = r"""
select exists (
  select 1
  from sqlite_schema
  where type = 'table' and name not like 'fp\_%' escape '\'
    and sql like '%references%fp\_%' escape '\'
)
"""


def translate(
    error: apsw.Error, operation: str, path: str, waited: float = 0.0, *, users: bool = False
) -> FencepostError:
    """Return our error for one of SQLite's; the caller raises it from the original.

    `users`: the statement was. Those of the store itself fail only where its rows are not as
    the schema says: a count that falls below zero, a key that is there twice.
    """
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreBusy(
            operation=operation, path=path, waited=waited, holders=lock_holders.writers(path)
        )
    if isinstance(error, apsw.FullError):
        return StoreFull(f"{path}: no space left to {operation}", operation=operation, path=path)
    if isinstance(error, apsw.NotADBError):
        return StoreCorrupt(
            f"{path} is not a SQLite database", operation=operation, path=path, is_store=False
        )
    if (
        isinstance(error, apsw.CorruptError)
        or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA
    ):  # the second is a checksum that is wrong
        return damage.corrupt(path, operation, error)
    if isinstance(error, _UNSOUND) and not users:
        return damage.corrupt(path, operation, error)
    if isinstance(
        error,
        apsw.IOError
        | apsw.CantOpenError
        | apsw.NoMemError
        | apsw.ReadOnlyError
        | apsw.PermissionsError,
    ):
        return StoreFailed(f"{path}: {operation} failed: {error}", operation=operation, path=path)
    return SqlError(str(error), operation=operation, path=path)


def is_users_own(error: apsw.Error, connection: apsw.Connection) -> bool:
    """True when a row of a user's table refers to one of the store's that was to be deleted."""
    return (
        getattr(error, "extendedresult", 0) == apsw.SQLITE_CONSTRAINT_FOREIGNKEY
        and connection.execute(_REFERS).get
    )


def busy(operation: str, path: str, started: float) -> StoreBusy:
    """Return the error for a lock that was not to be had since `started`, of time.monotonic()."""
    waited = time.monotonic() - started
    return StoreBusy(
        operation=operation, path=path, waited=waited, holders=lock_holders.writers(path)
    )


def short(operation: str, path: str) -> StoreFull:
    """Return the error for what would take the room that the rest needs."""
    return StoreFull(
        f"{path}: too little room on the disk to {operation} and finish the rest",
        operation=operation,
        path=path,
    )


def unlocked(operation: str, path: str) -> StoreFailed:
    """Return the error for locks that this process had and has no more."""
    return StoreFailed(
        f"{path}: this process has lost its locks on the store, because something in it has"
        f" closed the file: another SQLite library, or code that opened it. The {operation} was"
        " not done. Read with store.read(...), or use a separate process",
        operation=operation,
        path=path,
    )


def trespassed(operation: str, path: str) -> StoreFailed:
    """Return the error for what another library has written within our transaction."""
    return StoreFailed(
        f"{path}: another SQLite library in this process has written to the store while this"
        f" {operation} had the write lock. The {operation} was not done. Write with"
        " store.transaction(), or in a separate process",
        operation=operation,
        path=path,
    )


def forked(path: str, operation: str = "open") -> ForkedStore:
    """Return the error for a store that was opened before a fork."""
    return ForkedStore(
        f"{path} was open before this process was forked; open it anew, or spawn",
        operation=operation,
        path=path,
    )
