"""A copy of a live store: one file, whole, with every lease in it ended.

The copy is made under a name of its own and gets DEST's only when it is complete and on
disk, so a backup that is killed leaves no half of one there.
"""

from __future__ import annotations

import os

import apsw

from ..errors import LimitExceeded, StoreCorrupt, StoreOpenFailed
from . import files, schema
from .copying import private_copy
from .door import Door

# A store goes on giving out fences after it was copied. A restored copy begins beyond any
# that the first could reach, so whoever compares fences takes the copy's for the newer.
FENCE_EPOCH = 2**40

_RAISE_FENCE = f"""
update fp_store
set last_fence = last_fence + {FENCE_EPOCH}
where last_fence <= {2**63 - 1 - FENCE_EPOCH}
"""  # noqa: S608 - two numbers

# A token is good until somebody else has claimed, also on a row that is ready again.
_END_LEASES = (
    "update fp_delivery set lease_until_ms = 0 where state = 'leased'",
    "update fp_delivery set token = null where token is not null",
    "update fp_lease set token = null, expires_at_ms = 0 where token is not null",
    "update fp_once set token = null, expires_at_ms = 0 where state = 'claimed'",
)


def backup(door: Door, dest: str) -> str:
    """Copy the store to `dest`, where nothing may be yet; return its full path.

    Raises:
        InvalidInput, StoreOpenFailed: Nothing can be put there; what is there is untouched.
        StoreFull, StoreFailed: It could not be written; nothing is left at `dest`.
        StoreCorrupt: The copy fails its check; nothing is left at `dest`.
    """
    real = files.locate(dest, follow=False)
    for name in (real, *(real + suffix for suffix in (*files.SIDECARS, "-journal"))):
        if os.path.lexists(name):
            raise StoreOpenFailed(
                f"{name} exists; a backup never overwrites", operation="backup", path=real
            )
    with private_copy(door.copy_to, real, "backup", checksums=door.has_checksums()) as (
        name,
        connection,
    ):
        _fence_off(connection, real)
        connection.close()
        _sync(name)
        try:
            os.link(name, real)
        except FileExistsError as error:
            raise StoreOpenFailed(
                f"{real} exists; a backup never overwrites", operation="backup", path=real
            ) from error
        os.unlink(name)
    files.sync_folder(real)
    return real


def _fence_off(connection: apsw.Connection, path: str) -> None:
    found = connection.execute("pragma integrity_check(1)").get
    if found != "ok":
        raise StoreCorrupt(f"the copy is damaged: {found}", operation="backup", path=path)
    with schema.whole(connection):
        connection.execute(_RAISE_FENCE)
        if not connection.changes():
            raise LimitExceeded("the store has no fences left", operation="backup", path=path)
        for statement in _END_LEASES:
            connection.execute(statement)


def _sync(name: str) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
