"""The store's folder: checked, or created with --make-folder.

Whoever may write in the folder can put another file in the store's place. Volumes of
Kubernetes are such folders: an emptyDir has mode 0777, one with an fsGroup 2775.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from pathlib import Path

from ...errors import StoreOpenFailed

# Made within a folder in which others may write, and found there from then on.
PRIVATE = "fencepost"

_CREATING = "`fencepost up` or `fencepost work` and --make-folder"
_CURE = f"check the path, or create the store with {_CREATING}"


def resolve(folder: Path, path: str) -> Path:
    """Return the folder to use for the store at `path`: this one, or the private one in it.

    Raises:
        StoreOpenFailed: It does not exist, or others may write in it and it has no
            private folder.
    """
    found = _stat(folder, path)
    if (shared := _shared(found)) is None:
        return folder
    private = folder / PRIVATE
    with contextlib.suppress(OSError):
        if _is_private(private.lstat()):
            return private
    raise _refuse(
        path,
        f"{shared} may write in {folder} (mode {stat.S_IMODE(found.st_mode):04o}); create the"
        f" store with {_CREATING}, which keeps it in {private}, or take that right away with chmod",
    )


def refuse_shared(folder: Path, path: str) -> None:
    """Raise StoreOpenFailed for a folder that does not exist, or in which others may write."""
    found = _stat(folder, path, cure="create it, or choose another path")
    if (shared := _shared(found)) is not None:
        raise _refuse(
            path,
            f"{shared} may write in {folder} (mode {stat.S_IMODE(found.st_mode):04o});"
            " use a folder of your own",
        )


def make(folder: Path, path: str) -> None:
    """Make the folder when it is missing, or the private one in it when others may write in it.

    Raises:
        StoreOpenFailed: It cannot be made, or what is there under its name is another's.
    """
    made = folder
    try:
        if folder.exists():
            if _shared(_stat(folder, path)) is None:
                return
            made = folder / PRIVATE
        with contextlib.suppress(FileExistsError):
            made.mkdir(0o700)
            made.chmod(0o700)  # in a folder with the setgid bit it would have that too
        if not _is_private(made.lstat()):
            raise _refuse(path, f"{made} is not a folder that this account has for itself")
    except OSError as error:
        raise _refuse(path, f"cannot make the folder {made}: {error.strerror}") from error


def _stat(folder: Path, path: str, *, cure: str = _CURE) -> os.stat_result:
    try:
        found = folder.stat()
    except FileNotFoundError as error:
        raise _refuse(path, f"the folder {folder} does not exist ({cure})") from error
    except OSError as error:
        raise _refuse(path, f"the folder {folder} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise _refuse(path, f"{folder} is not a folder")
    return found


def _shared(found: os.stat_result) -> str | None:
    """Say who else may put files there; None when nobody, or nobody may replace ours."""
    if found.st_mode & stat.S_ISVTX:
        return None
    if found.st_mode & stat.S_IWOTH:
        return "anyone"
    if found.st_mode & stat.S_IWGRP and not _own_group(found):
        return f"group {_group(found.st_gid)}"
    return None


def _own_group(found: os.stat_result) -> bool:
    """True when the group has one member: many systems give each account a group of its own.

    The setgid bit is for sharing a folder, whatever the group is.
    """
    if found.st_mode & stat.S_ISGID:
        return False
    account = os.geteuid() or found.st_uid
    try:
        user = pwd.getpwuid(account)
        name, primary = user.pw_name, user.pw_gid
    except KeyError:
        name, primary = "", os.getegid()
    if found.st_gid not in (0, primary):
        return False
    with contextlib.suppress(KeyError):
        return set(grp.getgrgid(found.st_gid).gr_mem) <= {name, "root"}
    return True


def _group(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _is_private(found: os.stat_result) -> bool:
    ours = os.geteuid() in (0, found.st_uid)
    return stat.S_ISDIR(found.st_mode) and ours and not found.st_mode & 0o022


def _refuse(path: str, why: str) -> StoreOpenFailed:
    return StoreOpenFailed(f"cannot open {path}: {why}", operation="open", path=path)
