"""Opening a database, step by step."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

import apsw

from ...clock import HostClock
from ...errors import StoreFailed, StoreOpenFailed
from ...rules.failures.jitter import jitter
from ..file import checksums as page_checksums
from ..file import paths, permissions, schema, space
from ..locks.gate import Gate
from . import clock as store_clock
from . import faults, recovery, settings, wal_owner
from .clock import StoreClock

# A statement is forgotten once so many have run after it, of whichever texts: what a batch needs
# is still there after some 25 single messages. APSW takes no more.
_STATEMENTS = 512


class Opened(NamedTuple):
    """An open database.

    Attributes:
        exposed: The files that group or others had access to until now.
    """

    connection: apsw.Connection
    clock: StoreClock
    exposed: tuple[str, ...]


def open_database(
    path: str,
    gate: Gate,
    *,
    clock: HostClock,
    durability: str,
    patience: float,
    checksums: bool = False,
) -> Opened:
    """Return a connection to a database with the newest schema, anchored to this boot.

    Where others have it open and nothing is to be done, no lock is waited for. Otherwise
    the gate is held throughout, so that of many first openers one creates and the
    others find it done. What has to be behind it: creating, migrating and anchoring; finding
    out that nobody else has the database open, and then making durable what a WAL holds that
    was left (recovery.py). Who is not alone may be sure that the first has done all of it.

    Raises:
        StoreOpenFailed, StoreBusy, StoreCorrupt, SchemaUnsupported: Nothing was changed,
            but for an empty file where there was none.
    """
    settings.check_sqlite(apsw.sqlite_lib_version())
    started = time.monotonic()
    deadline = started + patience
    try:
        beside = _open_beside_others(path, gate, clock, durability, deadline, checksums=checksums)
        if beside is not None:
            return beside
        if not gate.enter(deadline):
            raise faults.busy("open", path, started)
        made = paths.create(path)
        found = wal_owner.look(path, gate)
        exposed = permissions.exposed(path)
        space.drop_ballast_when_exhausted(path)  # the shared memory of a WAL takes room too
        connection = connect(
            path, durability=durability, deadline=deadline, checksums=checksums, gate=gate
        )
        try:
            own_clock = prepare(connection, path, clock)
            wal_owner.record(connection, gate, found)
        except BaseException:
            connection.close()
            raise
        if made:
            paths.sync_folder(path)
        space.load_ballast(path)
        return Opened(connection, own_clock, exposed)
    except apsw.Error as error:
        failure = faults.translate(error, "open", path, time.monotonic() - started)
        if isinstance(failure, StoreFailed):
            failure = StoreOpenFailed(str(failure), operation="open", path=path)
        raise failure from error
    finally:
        gate.leave()


def connect(
    path: str, *, durability: str, deadline: float, checksums: bool = False, gate: Gate
) -> apsw.Connection:
    """Return a hardened connection in WAL mode to a store of any version, or a new one.

    The caller is in the gate. A store with page checksums is told by its file; `checksums` is
    for making a new one.
    """
    first = gate.openings.is_first()
    try:
        connection = _connect(path, durability, deadline, checksums=checksums, recovers=first)
    except BaseException:
        gate.openings.part()
        raise
    gate.openings.join()
    return connection


def _open_beside_others(
    path: str, gate: Gate, clock: HostClock, durability: str, deadline: float, *, checksums: bool
) -> Opened | None:
    """Open a database that others have open and in order; None when it has to be put in order.

    Who is in the gate may be long in a transaction, and is not waited for.
    """
    if not gate.openings.arrive():
        return None
    exposed = permissions.exposed(path)
    joined = False
    try:
        connection = _connect(path, durability, deadline, checksums=checksums, recovers=False)
        try:
            own_clock = store_clock.read(connection, clock) if _is_ready(connection, path) else None
            if own_clock is not None and gate.openings.has_company():
                gate.openings.join()
                joined = True
                return Opened(connection, own_clock, exposed)
        finally:
            if not joined:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close()
    finally:
        if not joined:
            gate.openings.part()
    return None


def _is_ready(connection: apsw.Connection, path: str) -> bool:
    """True when the database at the path is the one that is open, with the newest schema."""
    return not settings.has_moved(connection) and schema.is_current(connection, path)


def _connect(
    path: str, durability: str, deadline: float, *, checksums: bool, recovers: bool
) -> apsw.Connection:
    connection = _open(path, deadline, checksums=checksums)
    try:
        schema.is_current(connection, path)  # another program's is refused before any change
        if permissions.restrict(path):
            connection.close()
            connection = _open(path, deadline, checksums=checksums)
        if recovers := recovers and recovery.is_due(path):
            connection.close()
            recovery.make_durable(path)
            connection = _open(path, deadline, checksums=checksums)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        if connection.pragma("journal_mode") != "wal":
            _switch_to_wal(connection, path, deadline)
        settings.configure(connection, durability)
        permissions.require_writable(path)
        if recovers:
            _sync_recovered(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(path: str, deadline: float, *, checksums: bool) -> apsw.Connection:
    """Return a hardened connection that changes nothing yet, also not when it is closed.

    Whether a database has checksums is known once its first page is read; `checksums` is for
    a new one.
    """
    if checksums:
        page_checksums.load(path)
    connection = apsw.Connection(
        path,
        flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW,
        vfs=page_checksums.VFS if checksums else None,
        statementcachesize=_STATEMENTS,
    )
    try:
        connection.set_busy_timeout(int(max(0.0, deadline - time.monotonic()) * 1000))
        settings.harden(connection)
        # Closing another program's database must not fold a WAL that it left behind.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        if checksums and paths.is_empty(path):
            page_checksums.begin(connection)
        connection.pragma("schema_version")
        if page_checksums.has(connection) == checksums:
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    if checksums:
        raise StoreOpenFailed(f"{path} was created without checksums", operation="open", path=path)
    return _open(path, deadline, checksums=True)


def _sync_recovered(connection: apsw.Connection) -> None:
    """Sync what is in the WAL, and move it into the database, before anybody is told of it.

    Where another program was the first to open the database, nothing else has synced the
    commits of a process that was killed: whoever asks for them again writes nothing.
    """
    # Busy: another one is at it. Full: there is no room in the database, and the sync is done.
    with contextlib.suppress(apsw.BusyError, apsw.FullError):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _switch_to_wal(connection: apsw.Connection, path: str, deadline: float) -> None:
    """Turn WAL on: the one lock that SQLite's busy handler is not asked about."""
    while True:
        try:
            answer = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(jitter.uniform(0.001, 0.01))
            continue
        # A file that cannot have one answers with the mode it stays in, and no error.
        if answer != "wal" or not connection.filename:
            raise StoreOpenFailed(
                f"{path} stays in journal mode {answer!r}, not wal", operation="open", path=path
            )
        return


def prepare(connection: apsw.Connection, path: str, clock: HostClock) -> StoreClock:
    """Bring a connection's database to the newest schema and to this boot; under the gate."""
    if not schema.is_current(connection, path):
        schema.bring_up_to_date(connection, path)
    own_clock = store_clock.read(connection, clock)
    if own_clock is None:
        with schema.whole(connection):
            store_clock.start_boot(connection, clock)
        own_clock = store_clock.read(connection, clock)
    if own_clock is None:
        raise StoreOpenFailed(f"{path}: cannot read the boot's id", operation="open", path=path)
    return own_clock
