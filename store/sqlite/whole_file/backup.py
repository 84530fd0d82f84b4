"""Backup: a copy of an open store, with all leases ended.

The copy is made under a name of its own and gets DEST's only when it is complete and on
disk, so a backup that is killed leaves no half of one there.
"""

from __future__ import annotations

import os

from ...errors import StoreOpenFailed
from ..file import paths, permissions
from ..session import wal_owner
from ..session.session import Session
from . import lineage
from .private_copy import private_copy


def backup(session: Session, dest: str) -> str:
    """Copy the store to `dest`, where nothing may be yet; return its full path.

    Raises:
        InvalidInput, StoreOpenFailed: Nothing can be put there; what is there is untouched.
        StoreFull, StoreFailed: It could not be written; nothing is left at `dest`.
        StoreCorrupt: The copy fails its check; nothing is left at `dest`.
    """
    real = paths.locate(dest, follow=False)
    for name in (real, *(real + suffix for suffix in (*permissions.SIDECARS, "-journal"))):
        if os.path.lexists(name):
            raise StoreOpenFailed(
                f"{name} exists; a backup never overwrites", operation="backup", path=real
            )
    with private_copy(session.copy_to, real, "backup", checksums=session.has_checksums) as (
        name,
        connection,
    ):
        lineage.begin_anew(connection, real, operation="backup", store_id=wal_owner.new_id())
        connection.close()
        paths.sync(name)
        try:
            os.link(name, real)
        except FileExistsError as error:
            raise StoreOpenFailed(
                f"{real} exists; a backup never overwrites", operation="backup", path=real
            ) from error
        os.unlink(name)
    paths.sync_folder(real)
    return real
