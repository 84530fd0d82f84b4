"""SQLite's errors, told in ours."""

from __future__ import annotations

import apsw

from ..errors import FencepostError, SqlError, StoreBusy, StoreCorrupt, StoreFailed, StoreFull
from . import locks


def translate(error: apsw.Error, operation: str, path: str, waited: float = 0.0) -> FencepostError:
    """Return our error for one of SQLite's; the caller raises it from the original."""
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreBusy(operation=operation, path=path, waited=waited, holders=locks.writers(path))
    if isinstance(error, apsw.FullError):
        return StoreFull(f"{path}: no space left to {operation}", operation=operation, path=path)
    if isinstance(error, apsw.NotADBError):
        return StoreCorrupt(f"{path} is not a SQLite database", operation=operation, path=path)
    if (
        isinstance(error, apsw.CorruptError)
        or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA
    ):  # the second is a checksum that is wrong
        return StoreCorrupt(f"{path} is damaged: {error}", operation=operation, path=path)
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
