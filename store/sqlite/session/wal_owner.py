"""Whether a WAL belongs to the database beside it.

SQLite takes any sound WAL that lies beside a database for the database's own. When a file
is put in the place of a store whose processes were killed, and the old WAL stays, the pages
of two databases are mixed. So each store has an id, a backup or a restored store gets a new
one, and the gate's file keeps a note of the id of the database that the WAL belongs to. What
else is in the file may be older after a power loss than it was before, and tells nothing.

The database is read here without SQLite, which would apply the WAL. That is done before any
connection of any process has the file open: see paths.py for what closing a file does.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeVar

import apsw

from ...errors import StoreOpenFailed
from ..file import schema
from ..locks import foreign_sqlite, lock_holders
from ..locks.gate import Gate

T = TypeVar("T")

# Of the note: the database that it names or that others have open; no note; another database,
# which has no WAL.
Found = Literal["known", "unknown", "replaced"]

_PAGE = 4096

# Of the database's header; sqlite.org/fileformat2.html 1.3.
_MAGIC = b"SQLite format 3\0"
_PAGE_SIZE = slice(16, 18)

# fp_store is the first table of the schema, so its root is page 2: a leaf with one cell.
_LEAF = 13
_ID = re.compile(rb"store-[0-9a-f]{32}")
_MOST_CELL = 512

# Two ids while the store gets a new one.
_NOTE = re.compile(rb"store-[0-9a-f]{32}(?: store-[0-9a-f]{32})?\n")

_READ = "select store_id from fp_store"

_SET_ID = "update fp_store set store_id = :id"


def new_id() -> str:
    """Return an id that no other store has."""
    return f"store-{secrets.token_hex(16)}"


def look(path: str, gate: Gate) -> Found:
    """Compare the database with the note; under the gate, before it is opened. Writes nothing.

    Raises:
        StoreOpenFailed: It has a WAL that was written for another; nothing was changed.
    """
    if sys.platform != "linux" or not gate.openings.is_first() or lock_holders.users(path):
        return "known"  # who has it open has looked
    with foreign_sqlite.ours():
        base, note = _base(path), _read_note(gate)
    if base is None or note is None:
        return "unknown"
    if base in note:
        return "known"
    if _has_frames(path + "-wal"):
        raise StoreOpenFailed(
            f"cannot open {path}: {path}-wal was written for another database than the one that"
            " is here now, as when a backup is put in the place of a store; nothing was changed."
            " Put the store back and use `fencepost restore`, or move the -wal and -shm files away"
            " if only what is in the backup is wanted",
            operation="open",
            path=path,
        )
    return "replaced"


def record(connection: apsw.Connection, gate: Gate, found: Found) -> None:
    """Have the note say which database this is; one put in another's place gets an id of its own."""
    if found == "replaced":
        rename(connection, gate, partial(_set_id, connection))
    elif found == "unknown":
        expect(gate, connection.execute(_READ).get)


def rename(connection: apsw.Connection, gate: Gate, change: Callable[[str], T]) -> T:
    """Have `change` commit a new id for the store, under the gate; return what it returns."""
    old, new = connection.execute(_READ).get, new_id()
    # Until the new id is in the database itself, either may be found there.
    _write_note(gate, old, new, sync=True)
    result = change(new)
    pages, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    if pages == moved:
        _write_note(gate, new)
    return result


def expect(gate: Gate, store_id: str) -> None:
    """Note a database that is about to be put in place."""
    _write_note(gate, store_id, sync=True)


def _set_id(connection: apsw.Connection, store_id: str) -> None:
    with schema.whole(connection):
        connection.execute(_SET_ID, {"id": store_id})


def _base(path: str) -> str | None:
    """Return the id in the file itself; None for one that is no store, or damaged."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        head, page = os.pread(fd, _PAGE, 0), os.pread(fd, _PAGE, _PAGE)
    except OSError:
        return None
    finally:
        os.close(fd)
    if not head.startswith(_MAGIC) or int.from_bytes(head[_PAGE_SIZE]) != _PAGE:
        return None
    if len(page) < _PAGE or page[0] != _LEAF or int.from_bytes(page[3:5]) != 1:
        return None
    cell = int.from_bytes(page[8:10])
    found = _ID.search(page[cell : cell + _MOST_CELL])
    return found and found[0].decode()


def _has_frames(wal: str) -> bool:
    with contextlib.suppress(OSError):
        return os.lstat(wal).st_size > 0
    return False


def _read_note(gate: Gate) -> list[str] | None:
    found = _NOTE.match(gate.note())
    return found and found[0].decode().split()


def _write_note(gate: Gate, *store_ids: str, sync: bool = False) -> None:
    gate.set_note(" ".join(store_ids).encode() + b"\n", sync=sync)
