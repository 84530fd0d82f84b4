"""What may fail on a disk, and what SQLite is told then."""

from __future__ import annotations

from typing import Literal

import apsw

Kind = Literal["write", "sync", "truncate", "read", "open", "delete"]
KINDS: tuple[Kind, ...] = ("write", "sync", "truncate", "read", "open", "delete")
# What a file system that is read-only refuses of files that were open before.
CHANGES: tuple[Kind, ...] = ("write", "sync", "truncate", "delete")

# What the kernel may answer to each. A full disk is noticed by what takes room.
ERRORS: dict[Kind, tuple[str, ...]] = {
    "write": ("EIO", "ENOSPC", "short"),
    "sync": ("EIO", "ENOSPC"),
    "truncate": ("EIO", "ENOSPC"),
    "read": ("EIO",),
    "open": ("EIO", "ENOSPC"),
    "delete": ("EIO",),
}

_EXTENDED = {
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "read": apsw.SQLITE_IOERR_READ,
    "open": apsw.SQLITE_CANTOPEN,
    "delete": apsw.SQLITE_IOERR_DELETE,
}


class ShortWrite(apsw.FullError):
    """A write of which only a part was done."""


def error_of(kind: Kind, name: str) -> Exception:
    """Return what SQLite is to meet, by its name in ERRORS."""
    if name == "short":
        return ShortWrite("the disk is full")
    if name == "ENOSPC" and kind != "open":
        return apsw.FullError("the disk is full")
    return apsw.exception_for(_EXTENDED[kind])
