"""Permissions and owners of a store's files."""

from __future__ import annotations

import contextlib
import os
import stat

from ...errors import StoreOpenFailed

SIDECARS = ("-wal", "-shm", "-gate", "-wakeup", "-alive", "-ballast", "-recovered")

_EFFECTIVE = os.access in os.supports_effective_ids


def exposed(path: str) -> tuple[str, ...]:
    """Return which of the database and its sidecars group or others have access to."""
    found = []
    for name in (path, *(path + suffix for suffix in SIDECARS)):
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(name).st_mode & 0o077:
                found.append(name)
    return tuple(found)


def foreign(path: str) -> tuple[str, ...]:
    """Return which of the folder, the database and its sidecars belong to another account.

    Root may look at anybody's store, so for root the account is the database's owner.
    A folder of root's is as good as our own: root could do anything anyhow.
    """
    account = os.geteuid() or os.lstat(path).st_uid
    found = []
    for name in (path, *(path + suffix for suffix in SIDECARS)):
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(name).st_uid != account:
                found.append(name)
    folder = os.path.dirname(path)
    if os.stat(folder).st_uid not in (0, account):
        found.append(folder)
    return tuple(found)


def require_writable(path: str) -> None:
    """Refuse a database that SQLite would open only for reading, without a word about it.

    On a file system that has become read-only such a connection would stay when it is
    writable again.
    """
    for name in (path, path + "-wal"):
        if os.path.lexists(name) and not os.access(name, os.W_OK, effective_ids=_EFFECTIVE):
            raise _refuse(path, f"{name} cannot be written")


def give_to_owner(fd: int, path: str) -> None:
    """Give a sidecar that root has made to the account that owns the database.

    A service could not open a file of root's beside its own database. SQLite does the same
    for the files that it makes (robustFchown in its os_unix.c).
    """
    owner: os.stat_result | None
    try:
        owner = os.lstat(path)
    except FileNotFoundError:
        owner = _folder_owner(path)  # to whom the database is given that we make next
    _give(fd, owner)


def give_new_file(fd: int, path: str) -> None:
    """Give a database that root has made to the account that owns its folder."""
    _give(fd, _folder_owner(path))


def shared_folder(path: str) -> bool:
    """True when group or others may make files beside the database."""
    return bool(os.stat(os.path.dirname(path)).st_mode & 0o022)


def restrict(path: str) -> bool:
    """Take group and others their access to the database and its sidecars, and give us ours.

    Returns True when a sidecar was not ours to write: what has it open cannot write to it.
    """
    lacking = withheld(path)
    for name in (*exposed(path), *lacking):
        try:
            os.chmod(name, 0o600)
        except FileNotFoundError:
            continue  # a sidecar that is gone has no mode
        except PermissionError as error:
            raise _refuse(
                path, f"{name} belongs to another account, so its mode cannot be set to 0600"
            ) from error
    return bool(lacking) and not withheld(path)


def withheld(path: str) -> list[str]:
    """Return the sidecars that have less of a mode than the database: it had as little once."""
    found = []
    for suffix in SIDECARS:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_mode & ~os.lstat(path + suffix).st_mode & 0o600:
                found.append(path + suffix)
    return found


def _folder_owner(path: str) -> os.stat_result | None:
    """Return whose a file is that root makes there; None in a folder that many share."""
    found = os.stat(os.path.dirname(path))
    return None if found.st_mode & stat.S_ISVTX else found


def _give(fd: int, owner: os.stat_result | None) -> None:
    if os.geteuid() == 0 and owner is not None and owner.st_uid != os.fstat(fd).st_uid == 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _refuse(path: str, why: str) -> StoreOpenFailed:
    return StoreOpenFailed(f"cannot open {path}: {why}", operation="open", path=path)
