"""WAL recovery: a WAL left behind is made durable before it is used.

SQLite recovers the commits that it can read in a WAL, and what can be read need not be on
the disk. A process may have been killed before its sync. Or the sync failed: the kernel
then takes the pages for written and keeps them, so a later sync succeeds and does nothing
(Rebello et al., ATC 2020). A checkpoint of such pages, followed by a power loss, leaves a
shorter WAL beside a newer database, and SQLite lays the older pages over it.

So the WAL is copied, the copy is synced, and the copy takes its place. SQLite then recovers
from the copy alone. The old WAL is not written over: a power loss may tear a sector that is
being written, even where the same bytes were there before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import apsw

from ..file import paths, space

COPY = "-recovered"

# A process that could not wait for the gate any longer may just be closing the database.
_CLOSING_MS = 10

_WAL_HEADER = 32
_FRAME_HEADER = 24
# Less than the 128 KiB that unixWrite takes at once (os_unix.c).
_CHUNK = 64 * 1024


def is_due(path: str) -> bool:
    """True when there is a WAL with anything in it."""
    return space.wal_bytes(path) > _WAL_HEADER


def make_durable(path: str) -> None:
    """Put what can be recovered from the WAL of a store on the disk.

    Call it behind the gate, before a connection that is to be used is opened, when no
    other process has the store open: then this opening is the one that recovers. When another
    program has the database open nothing is done, because it has recovered the WAL already.

    A power loss or a kill at any point leaves the old WAL or its copy, and both hold the same
    commits.
    """
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        # Taken with the first read, and kept: nobody else can open the database meanwhile.
        connection.pragma("locking_mode", "exclusive")
        connection.set_busy_timeout(_CLOSING_MS)
        try:
            connection.execute("select 1 from sqlite_schema limit 1").fetchall()
        except apsw.BusyError:
            return
        pages, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        if pages:
            _replace(path, _WAL_HEADER + pages * (_FRAME_HEADER + connection.pragma("page_size")))
    finally:
        connection.close()


def write_again(connection: apsw.Connection, path: str) -> None:
    """Put the WAL on the disk in which commits are that a failed sync has not put there.

    The connection and others go on with it, so it is written over itself. Call it behind the
    gate; SQLite's lock keeps other programs from writing meanwhile.
    """
    connection.execute("begin immediate")
    try:
        _write(path + "-wal", path + "-wal", space.wal_bytes(path))
    finally:
        connection.execute("rollback")


def _replace(path: str, size: int) -> None:
    try:
        _copy(path, size)
    except apsw.FullError:
        space.drop_ballast(path)
        try:
            _copy(path, size)
        except apsw.FullError:
            # A torn sector is the smaller danger: what is there already takes no room.
            _write(path + "-wal", path + "-wal", size)
            return
    with paths.beside(path):
        paths.replace(path + COPY, path + "-wal")


def _copy(path: str, size: int) -> None:
    try:
        _write(path + "-wal", path + COPY, size)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path + COPY)
        raise


def _write(source: str, target: str, size: int) -> None:
    """Write the first bytes of a file to another one or to itself, and sync that."""
    with _opened(source) as old, _opened(target) as new:
        if source != target:
            new.xTruncate(0)
        for offset in range(0, size, _CHUNK):
            new.xWrite(old.xRead(min(_CHUNK, size - offset), offset), offset)
        new.xSync(apsw.SQLITE_SYNC_FULL)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[apsw.VFSFile]:
    # By SQLite's own layer: with the mode and the owner of the database. WALs carry no locks
    # that closing a second opening could drop.
    flags = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    file = apsw.VFSFile("", name, [flags, 0])
    try:
        yield file
    finally:
        file.xClose()
