"""From an address to an open store."""

from __future__ import annotations

import os

from . import sqlite
from .clock import Clock, SystemClock
from .engine.upkeep import Adopted, Migration, Restored
from .errors import InvalidInput
from .naming import address, named, names_errors
from .store import Store
from .types import validate
from .types.validate import Duration

_SQLITE = "sqlite:///"


@names_errors("open")
def connect(
    target: str | os.PathLike[str],
    *,
    busy_timeout: Duration = 5.0,
    durability: str = "full",
    create: bool = True,
    checksums: bool = False,
    clock: Clock | None = None,
) -> Store:
    """Open a store, and make it where there is none.

    Args:
        target: A path, or sqlite:///path (sqlite:////path when it begins with a slash).
        busy_timeout: Seconds that any call waits for the write lock before StoreBusy, and
            opening for those who make the store or put it in order. A store that others
            have open is opened at once.
        durability: "full": what returned is on disk and survives a power loss.
            "normal": it survives a crash of the process; a power loss may take the last
            commits, and may give a fence out twice.
        create: False refuses to make a store.
        checksums: Give a new store a checksum on every page, so that a flipped bit is
            StoreCorrupt and not wrong data. What a store was made with holds for ever;
            True for one that was made without is StoreOpenFailed.
        clock: For tests.

    Raises:
        InvalidInput: An argument makes no sense.
        StoreOpenFailed, StoreCorrupt, SchemaUnsupported, StoreBusy, StoreFull: It cannot be
            opened; nothing was changed.
    """
    if durability not in ("full", "normal"):
        raise InvalidInput(f'durability must be "full" or "normal", not {durability!r}')
    path = _path(target)
    engine = sqlite.SqliteEngine(
        path,
        clock=clock or SystemClock(),
        busy_seconds=validate.milliseconds(busy_timeout, "busy_timeout") / 1000,
        durability=durability,
        create=create,
        checksums=checksums,
    )
    return Store(engine)


@names_errors("make_folder")
def make_folder(target: str | os.PathLike[str]) -> str:
    """Make a folder for a store, 0700, where the path has none that is safe; return its path.

    A folder that is missing is made. In one where others may write, as in a volume of
    Kubernetes, a folder `fencepost` is made, and whoever opens the store by the path in
    the outer folder is led to it from then on. A folder that is safe is left as it is.

    Raises:
        InvalidInput: The target makes no sense.
        StoreOpenFailed: It cannot be made, or something else has its name.
    """
    return sqlite.make_folder(_path(target))


@names_errors("migrate")
def migrate(target: str | os.PathLike[str], *, dry_run: bool) -> Migration:
    """Bring a store to the newest schema, as connect() does; a dry run tries it on a copy.

    Raises:
        StoreOpenFailed, StoreCorrupt, SchemaUnsupported, StoreBusy, StoreFull: It cannot be
            done; the store is at the version of the last step that was.
    """
    return sqlite.migrate(_path(target), dry_run=dry_run)


@names_errors("quarantine")
def quarantine(target: str | os.PathLike[str]) -> str:
    """Set a damaged store aside, with all its files; return the name it has now.

    The next connect() starts an empty one, which knows none of the keys of before.

    Raises:
        InvalidInput: It is well; nothing was moved.
        StoreOpenFailed, StoreBusy: Somebody has it open; nothing was moved.
    """
    return sqlite.quarantine(_path(target), SystemClock())


def restore(backup: str | os.PathLike[str], target: str | os.PathLike[str]) -> Restored:
    """Put a copy of a backup in the place of a store that nobody has open.

    The store that was there is kept beside it under another name. All leases in the new
    one are ended. Its fences go on after those of the backup and of the store it replaces.

    Raises:
        InvalidInput: An argument makes no sense.
        StoreOpenFailed: Somebody has the store open, or the backup cannot be used; nothing
            was changed.
        StoreBusy, StoreCorrupt, SchemaUnsupported, StoreFull, StoreFailed: It cannot be
            done; nothing was changed.
    """
    with named("restore", address(target)):
        return sqlite.restore(validate.path(backup, "backup"), _path(target), SystemClock())


@names_errors("adopt")
def adopt(target: str | os.PathLike[str]) -> Adopted:
    """Make a copy that other tools made, such as a volume snapshot, a store of its own.

    All leases in it are ended, and its fences go on 2**40 later, so that nobody who worked
    with the first store can change anything here.

    Raises:
        InvalidInput: An argument makes no sense.
        StoreOpenFailed: Somebody has the copy open; nothing was changed.
        StoreBusy, StoreCorrupt, SchemaUnsupported, StoreFull, StoreFailed: It cannot be done.
    """
    return sqlite.adopt(_path(target), SystemClock())


def _path(target: str | os.PathLike[str]) -> str:
    given = validate.path(target, "a store's address")
    path = given.removeprefix(_SQLITE)
    if path == given and "://" in given:
        raise InvalidInput(
            f"no engine for {given.split('://')[0]}://; use a path or sqlite:///path"
        )
    return path
