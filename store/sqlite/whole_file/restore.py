"""Restore and adopt: a backup or a copy becomes the store."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

import apsw

from ...clock import HostClock
from ...engine.upkeep import Adopted, Restored
from ...errors import FencepostError, SchemaUnsupported, StoreCorrupt, StoreOpenFailed
from ..file import checksums as page_checksums
from ..file import paths, schema
from ..locks import lock_holders
from ..locks.exclusive import behind_gate, open_nowhere
from ..locks.gate import Gate
from ..session import opening, wal_owner
from ..session.faults import translate
from ..session.readers import copy
from . import lineage
from .private_copy import private_copy

_PATIENCE_SECONDS = 5.0

_SIDECARS = ("-wal", "-shm", "-journal")
_ASIDE = ".replaced-"

_LEASES = """
select
  (select count(*) from fp_delivery where state = 'leased' and lease_until_ms is not null)
  + (select count(*) from fp_lease where token is not null)
  + (select count(*) from fp_once where state = 'claimed')
"""

_FENCE = "select last_fence from fp_store"


def restore(source: str, path: str, clock: HostClock) -> Restored:
    """Put a copy of the backup in the place of the store, which is kept under another name.

    The old files are linked or moved aside before the new database takes their place in one
    step: a restore that dies can be repeated, and no step leaves a path without a store.

    Raises:
        StoreOpenFailed: The backup cannot be used, or somebody has the store open; nothing
            was changed.
        SchemaUnsupported, StoreCorrupt: It is no sound store; nothing was changed.
        StoreFull, StoreFailed: It could not be copied; nothing was changed.
    """
    _undo_half(path)
    path = paths.locate(path)
    backup = _usable(source, path)
    moment = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = f"{path}{_ASIDE}{moment}"
    if any(os.path.lexists(aside + suffix) for suffix in ("", *_SIDECARS)):
        raise StoreOpenFailed(f"{aside} exists", operation="restore", path=path)
    with behind_gate(path, "restore") as gate:
        if os.path.lexists(path):
            _require_closed(path, "restore")
        past = _last_fence(path, gate)
        with _names_backup(source, path), _copied(backup, path) as (name, connection):
            store_id = wal_owner.new_id()
            fence = lineage.begin_anew(
                connection, path, operation="restore", store_id=store_id, past=past
            )
            connection.close()
            paths.sync(name)
            wal_owner.expect(gate, store_id)
            replaced = _put_in_place(name, path, aside)
    return Restored(path, aside if replaced else None, fence)


def adopt(path: str, clock: HostClock) -> Adopted:
    """End all leases of a copy that other tools made, and move its fences on.

    Raises:
        StoreOpenFailed: Somebody has it open; nothing was changed.
        SchemaUnsupported, StoreCorrupt: It is no sound store; nothing was changed.
    """
    path = paths.locate(path)
    paths.require(path, create=False)
    with behind_gate(path, "adopt") as gate:
        _require_closed(path, "adopt")
        wal_owner.look(path, gate)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            with closing(
                opening.connect(path, durability="full", deadline=deadline, gate=gate)
            ) as connection:
                opening.prepare(connection, path, clock)
                leases: int = connection.execute(_LEASES).get
                begin = partial(lineage.begin_anew, connection, path, operation="adopt")
                fence = wal_owner.rename(connection, gate, lambda id: begin(store_id=id))
        except apsw.Error as error:
            raise translate(error, "adopt", path) from error
    return Adopted(path, leases, fence)


def _require_closed(path: str, operation: str) -> None:
    """Refuse while somebody has the store open; behind the gate, where nobody can open it next."""
    with open_nowhere(path, operation):
        pass


def _usable(source: str, path: str) -> str:
    """Return the real path of a backup that nobody writes."""
    real = os.path.realpath(source)
    why = None
    if not os.path.isfile(real) or not os.path.getsize(real):
        why = "there is no such file, or it is empty"
    elif os.path.exists(path) and os.path.samefile(real, path):
        why = "it is the store itself"
    elif lock_holders.users(real):
        why = "a process has it open; use a copy that `fencepost backup` has made"
    elif os.path.exists(real + "-wal") and os.path.getsize(real + "-wal"):
        why = (
            "it has a -wal file beside it, so it is no backup of Fencepost's; copy both files to"
            " where the store is to be and run `fencepost adopt`"
        )
    if why is not None:
        raise StoreOpenFailed(_refusal(source, path, why), operation="restore", path=path)
    return real


def _refusal(source: str, path: str, why: str) -> str:
    return f"cannot restore {source}: {why}; {path} was not changed"


@contextlib.contextmanager
def _names_backup(source: str, path: str) -> Iterator[None]:
    """Have the errors about what is in the backup name it, and not the store."""
    try:
        yield
    except (SchemaUnsupported, StoreCorrupt) as error:
        why = str(error).removesuffix("; run `fencepost doctor`")
        for name in (os.path.realpath(source), path):
            if why.startswith(f"{name} "):
                why = f"it{why.removeprefix(name)}"
        error.args = (_refusal(source, path, why),)
        raise


@contextlib.contextmanager
def _source(name: str) -> Iterator[apsw.Connection]:
    """Open a backup for reading, and make no file beside it."""
    address = f"file:{quote(name)}?immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(address, flags=flags)
    try:
        connection.pragma("schema_version")  # what has checksums is told by the first page
        if page_checksums.has(connection):
            connection.close()
            page_checksums.load(name)
            connection = apsw.Connection(address, flags=flags, vfs=page_checksums.VFS)
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def _copied(source: str, path: str) -> Iterator[tuple[str, apsw.Connection]]:
    """Copy the backup to a file beside the store, brought to the newest schema."""
    try:
        with _source(source) as origin:
            schema.is_current(origin, source)
            with private_copy(
                partial(copy, origin), path, "restore", checksums=page_checksums.has(origin)
            ) as (name, connection):
                if not schema.is_current(connection, name):
                    schema.bring_up_to_date(connection, name)
                yield name, connection
    except apsw.Error as error:
        raise translate(error, "restore", path) from error


def _last_fence(path: str, gate: Gate) -> int:
    """Return the last fence of the store that is replaced, 0 when it cannot be read."""
    if not os.path.lexists(path):
        return 0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with contextlib.suppress(FencepostError, apsw.Error):
        wal_owner.look(path, gate)
        with closing(
            opening.connect(path, durability="full", deadline=deadline, gate=gate)
        ) as connection:
            if schema.is_current(connection, path):
                fence: int = connection.execute(_FENCE).get
                return fence
    return 0


def _put_in_place(name: str, path: str, aside: str) -> bool:
    """Let the copy take the path in one step; False when nothing was there before."""
    if replaced := os.path.lexists(path):
        os.link(path, aside)  # a file with two names is opened by nobody, until the last step
        for suffix in _SIDECARS:
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
        owner = os.lstat(path)
        if os.geteuid() == 0:
            os.chown(name, owner.st_uid, owner.st_gid)
        paths.sync_folder(path)
    os.rename(name, path)
    paths.sync_folder(path)
    return replaced


def _undo_half(path: str) -> None:
    """Take back what a restore has begun that died before its last step."""
    folder, name = os.path.split(os.path.abspath(path))
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            aside = os.path.join(folder, entry)
            if entry.startswith(f"{name}{_ASIDE}") and os.path.samefile(aside, path):
                for suffix in _SIDECARS:
                    with contextlib.suppress(FileNotFoundError):
                        os.rename(aside + suffix, path + suffix)
                os.unlink(aside)
