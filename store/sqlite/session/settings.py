"""Settings of a connection, and what SQLite itself must be able to do."""

from __future__ import annotations

import ctypes

import apsw

from ...errors import StoreOpenFailed
from ...types.messages.message import MAX_BODY_BYTES

# Before it, a checkpoint that races a writer may lose commits; sqlite.org/wal.html#walresetbug.
OLDEST_SQLITE = (3, 51, 3)

# A WAL that a checkpoint has emptied is cut back to this size.
_WAL_LIMIT_BYTES = 4 * 1024 * 1024

# Defaults that suit an embedded trusted file, turned to what suits one that others could
# have written; sqlite.org/security.html.
_HARDENING = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1),
    # Plans that do not depend on bound values: otherwise a claim's statements are compiled
    # anew each time, which takes as long as running them.
    (apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1),
)


def harden(connection: apsw.Connection) -> None:
    """Set what suits a file that others could have written."""
    for option, value in _HARDENING:
        connection.config(option, value)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_BODY_BYTES + 1024 * 1024)


def configure(connection: apsw.Connection, durability: str) -> None:
    """Set what the store needs of a connection that writes."""
    connection.pragma("synchronous", {"full": 2, "normal": 1}[durability])
    # The checkpoint inside COMMIT can fail after the commit has happened; checkpoint.py.
    connection.wal_autocheckpoint(0)
    connection.pragma("journal_size_limit", _WAL_LIMIT_BYTES)
    # A claim's sub-select spills to a file otherwise, at 120 microseconds each.
    connection.pragma("temp_store", 2)
    connection.pragma("cell_size_check", 1)


def has_moved(connection: apsw.Connection) -> bool:
    """True when SQLite no longer finds its own open file at the path."""
    answer = ctypes.c_int(0)
    connection.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, ctypes.addressof(answer))
    return bool(answer.value)


def check_sqlite(version: str) -> None:
    """Refuse a SQLite that can lose commits.

    Raises:
        StoreOpenFailed: It is older than OLDEST_SQLITE.
    """
    if tuple(int(part) for part in version.split(".")) < OLDEST_SQLITE:
        oldest = ".".join(str(part) for part in OLDEST_SQLITE)
        raise StoreOpenFailed(
            f"SQLite {version} can lose commits in WAL mode; {oldest} or newer is needed",
            operation="open",
        )
