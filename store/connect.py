"""The table of URL schemes: opening, migrating, restoring a store by its address."""

from __future__ import annotations

import importlib
import os

from .clock import HostClock, SystemClock
from .engine.driver import Driver, OpenOptions
from .engine.upkeep import Adopted, Migration, Restored
from .errors import InvalidInput
from .naming import address, named, names_errors
from .store import Store
from .types import validate
from .types.validate import Duration

# The modules of the engines: each has a DRIVER, and is imported when it is needed first.
_DRIVERS = {"sqlite": f"{__package__}.sqlite.driver"}
# What an address begins with, and the engine is not given.
_PREFIXES = {"sqlite": "sqlite:///"}
_PATHS = "sqlite"  # whose an address is that is no URL


@names_errors("open")
def connect(
    target: str | os.PathLike[str],
    *,
    busy_timeout: Duration = 5.0,
    durability: str = "full",
    create: bool = True,
    checksums: bool = False,
    clock: HostClock | None = None,
) -> Store:
    """Open a store. If there is none at this path, create it.

    Args:
        target: A path, or `sqlite:///path` (`sqlite:////path` for a path that begins with a
            slash).
        busy_timeout: Seconds for which each call waits for the write lock before it raises
            StoreBusy. Opening waits as long while another process creates or recovers the
            store. A store that is open elsewhere is opened at once.
        durability: "full": a call that has returned is on disk and survives a power loss.
            "normal": it survives a crash of the process, but a power loss may undo the last
            commits, and a fence may then be used twice.
        create: False raises StoreOpenFailed if there is no store.
        checksums: True gives a new store a checksum on every page, so that a flipped bit
            raises StoreCorrupt instead of returning wrong data. A store keeps the setting
            with which it was created; True for a store without checksums raises
            StoreOpenFailed.
        clock: For tests; see `fencepost.testing.Clock`.

    Raises:
        InvalidInput: An argument is not usable.
        StoreOpenFailed: The path cannot be used; the error says why.
        StoreCorrupt: The file is damaged.
        SchemaUnsupported: The file belongs to another program or a newer Fencepost.
        StoreBusy: Another process is creating or recovering the store.
        StoreFull: The disk is full.
    """
    if durability not in ("full", "normal"):
        raise InvalidInput(f'durability must be "full" or "normal", not {durability!r}')
    driver, where = _engine_of(target)
    if checksums:
        driver.able(driver.checksums, "checksums")
    options = OpenOptions(
        clock=clock or SystemClock(),
        busy_seconds=validate.milliseconds(busy_timeout, "busy_timeout") / 1000,
        durability=durability,
        create=create,
        checksums=checksums,
    )
    return Store(driver.open(where, options))


@names_errors("make_folder")
def make_folder(target: str | os.PathLike[str]) -> str:
    """Make sure that the store's folder exists and is safe; return its path.

    A missing folder is created with mode 0700. If others may write in the folder, as in a
    Kubernetes volume, a folder `fencepost` is created inside it, and opening the store by
    the path in the outer folder leads there from then on. A safe folder is not changed.

    Raises:
        InvalidInput: The target is not usable.
        StoreOpenFailed: The folder cannot be created, or something else has its name.
    """
    driver, where = _engine_of(target)
    return driver.able(driver.make_folder, "make_folder")(where)


@names_errors("migrate")
def migrate(target: str | os.PathLike[str], *, dry_run: bool) -> Migration:
    """Migrate a store to the newest schema, as connect() does; a dry run tries it on a copy.

    Raises:
        StoreOpenFailed, StoreCorrupt, SchemaUnsupported, StoreBusy, StoreFull: A step
            failed; the store has the version of the last step that succeeded.
    """
    driver, where = _engine_of(target)
    return driver.able(driver.migrate, "migrate")(where, dry_run)


@names_errors("quarantine")
def quarantine(target: str | os.PathLike[str]) -> str:
    """Rename a damaged store and all its files; return its new name.

    The next connect() creates an empty store, which knows none of the earlier keys.

    Raises:
        InvalidInput: The store is not damaged; nothing was renamed.
        StoreOpenFailed, StoreBusy: Another process has it open; nothing was renamed.
    """
    driver, where = _engine_of(target)
    return driver.able(driver.set_aside, "quarantine")(where, SystemClock())


def restore(backup: str | os.PathLike[str], target: str | os.PathLike[str]) -> Restored:
    """Replace a store that no process has open with a copy of a backup.

    The replaced store is kept beside it under another name. All leases in the new store are
    ended. Its fences continue above those of the backup and of the replaced store.

    Raises:
        InvalidInput: An argument is not usable.
        StoreOpenFailed: A process has the store open, or the backup is not usable; nothing
            was changed.
        StoreBusy, StoreCorrupt, SchemaUnsupported, StoreFull, StoreFailed: The restore
            failed; nothing was changed.
    """
    with named("restore", address(target)):
        source = validate.path(backup, "backup")
        driver, where = _engine_of(target)
        return driver.able(driver.restore, "restore")(source, where, SystemClock())


@names_errors("adopt")
def adopt(target: str | os.PathLike[str]) -> Adopted:
    """Turn a copy made by other tools, such as a volume snapshot, into a store of its own.

    All leases in it are ended and its fences continue 2**40 later, so a process that holds a
    lease in the original cannot change the copy.

    Raises:
        InvalidInput: An argument is not usable.
        StoreOpenFailed: A process has the copy open; nothing was changed.
        StoreBusy, StoreCorrupt, SchemaUnsupported, StoreFull, StoreFailed: The copy could not
            be changed.
    """
    driver, where = _engine_of(target)
    return driver.able(driver.adopt, "adopt")(where, SystemClock())


@names_errors("open")
def exists(target: str | os.PathLike[str]) -> bool:
    """True when a store is there, as far as can be told without opening it.

    Raises:
        InvalidInput: An argument is not usable.
    """
    driver, where = _engine_of(target)
    return driver.exists(where)


@names_errors("open")
def why_not_made(target: str | os.PathLike[str]) -> str | None:
    """Return what keeps connect() from making a store there, None for nothing that is known.

    Raises:
        InvalidInput: An argument is not usable.
    """
    driver, where = _engine_of(target)
    return driver.why_not_made(where)


def modules_of(target: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the modules that connect() would import, for a process that forks others."""
    name, _ = _split(target)
    return (_DRIVERS[name],)


def _engine_of(target: str | os.PathLike[str]) -> tuple[Driver, str]:
    name, where = _split(target)
    driver: Driver = importlib.import_module(_DRIVERS[name]).DRIVER
    return driver, where


def _split(target: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the name of a scheme, and what it makes of the rest."""
    given = validate.path(target, "a store's address")
    name, found, _ = given.partition("://")
    if not found:
        return _PATHS, given
    if name not in _DRIVERS or not given.startswith(_PREFIXES[name]):
        known = ", ".join(f"{_PREFIXES[each]}path" for each in _DRIVERS)
        raise InvalidInput(f"no engine for {name}://; use a path or {known}")
    return name, given.removeprefix(_PREFIXES[name])
