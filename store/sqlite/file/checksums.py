"""Page checksums: a flipped bit raises an error.

A database made with them has eight bytes kept free at the end of each page; that says so
to whoever opens it, and it is never opened without. SQLite's own shim computes and checks
them; sqlite.org/cksumvfs.html.
"""

from __future__ import annotations

import threading

import apsw
import apsw.sqlite_extra

from ...errors import StoreOpenFailed

VFS = "cksmvfs"

_RESERVED = 8

_loading = threading.Lock()


def load(path: str) -> None:
    """Make the shim known to SQLite, and leave the default as it was.

    Raises:
        StoreOpenFailed: This installation has none.
    """
    with _loading:
        if VFS in apsw.vfs_names():
            return
        default = apsw.vfs_names()[0]
        scratch = apsw.Connection(":memory:")
        try:
            apsw.sqlite_extra.load(scratch, "cksumvfs")
        except (apsw.Error, LookupError, OSError) as error:
            raise StoreOpenFailed(
                f"{path} needs page checksums, and this apsw was built without them: {error}",
                operation="open",
                path=path,
            ) from error
        finally:
            scratch.close()
            apsw.set_default_vfs(default)


def begin(connection: apsw.Connection) -> None:
    """Give a database that is still empty checksums."""
    connection.reserve_bytes("main", _RESERVED)


def has(connection: apsw.Connection) -> bool:
    """True for a database with checksums; ask after something has been read."""
    return connection.reserve_bytes("main", -1) == _RESERVED
