"""Copying an open database (SQLite's backup API)."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator

import apsw

from ...errors import StoreFailed
from ..file import checksums as page_checksums
from ..file import paths
from ..session.faults import translate


@contextlib.contextmanager
def private_copy(
    fill: Callable[[apsw.Connection], None], beside: str, operation: str, *, checksums: bool
) -> Iterator[tuple[str, apsw.Connection]]:
    """Make a copy in a file of its own beside `beside`; it goes when the block ends.

    `fill` is given the connection to copy to. The copy is a single file without a WAL,
    and is not synced.
    """
    name = f"{beside}.{secrets.token_hex(8)}.partial"
    paths.create(name)
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
    connection = apsw.Connection(name, flags=flags, vfs=page_checksums.VFS if checksums else None)
    try:
        if checksums:
            page_checksums.begin(connection)
        connection.pragma("synchronous", 0)
        fill(connection)
        # The header says WAL, as the store's does.
        if (mode := connection.pragma("journal_mode", "delete")) != "delete":
            raise StoreFailed(
                f"{name} stays in journal mode {mode!r}", operation=operation, path=beside
            )
        yield name, connection
    except apsw.Error as error:
        raise translate(error, operation, beside) from error
    finally:
        connection.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + suffix)
