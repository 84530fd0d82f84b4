"""Where a database may be: checks before SQLite opens anything.

Nothing here opens the database or its sidecars once they exist: close() on any
descriptor of a file drops every lock that the process holds on it (fcntl(2)), and
with them a transaction that another thread has open. Source: sqlite.org/howtocorrupt.html 2.2.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...errors import InvalidInput, StoreOpenFailed
from . import folders, permissions
from .status import Identity, look

# WAL needs memory shared by all who open the file, so all must be on one host
# (sqlite.org/wal.html). Magic numbers: linux/magic.h and the file systems' sources.
_NETWORK = {
    0x6969: "nfs",
    0x517B: "smb",
    0xFE534D42: "smb2",
    0xFF534D42: "cifs",
    0x01021997: "9p",
    0x65735546: "fuse",
    0x00C36400: "ceph",
    0x5346414F: "afs",
    0x0BD00BD3: "lustre",
    0x01161970: "gfs2",
    0x7461636F: "ocfs2",
    0x786F4256: "vboxsf",
}


def locate(path: str, *, follow: bool = True) -> str:
    """Return the real, absolute path of a database that may be opened or made there.

    `follow`: in a folder where others may write that is a path in its private folder, if
    it has one; see folders.py.

    Raises:
        InvalidInput: It names no file.
        StoreOpenFailed: The folder or the file is not safe to use.
    """
    folder, name = _split(path)
    real = str(folder / name)
    if follow:
        folder = folders.resolve(folder, real)
        real = str(folder / name)
    else:
        folders.refuse_shared(folder, real)
    if kind := network_filesystem(str(folder)):
        raise _refuse(real, f"it is on {kind}, and a store needs a local disk")
    _check_file(real)
    return real


def make_folder(path: str) -> str:
    """Make the folder that a database at this path needs; return the path that it will have.

    Raises:
        InvalidInput: The path names no file.
        StoreOpenFailed: The folder cannot be made.
    """
    folder, name = _split(path)
    folders.make(folder, str(folder / name))
    return locate(path)


def _split(path: str) -> tuple[Path, str]:
    """Return the real folder and the name of a file."""
    if not path or "\0" in path or path == ":memory:" or path.startswith("file:"):
        raise InvalidInput(f"a store needs a path on disk, not {path!r}", operation="open")
    given = Path(path).absolute()
    folder = Path(os.path.realpath(given.parent))
    real = str(folder / given.name)
    try:
        real.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{real!r} is not valid Unicode", operation="open") from error
    if not given.name or given.name == "..":
        raise _refuse(real, "it names no file")
    return folder, given.name


def require(path: str, *, create: bool) -> None:
    """Refuse a path where there is no database, unless one may be made."""
    if create:
        return
    try:
        size = os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        size = 0
    if size == 0:
        raise _refuse(
            path, "there is no store (check the path; a pool or `fencepost enqueue` creates one)"
        )


def create(path: str) -> bool:
    """Make an empty database file, readable by its owner alone; False when there is one.

    SQLite gives its sidecars the mode of the database, so 0600 here covers them all.
    """
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise _refuse(path, error.strerror or str(error)) from error
    try:
        permissions.give_new_file(fd, path)
    finally:
        os.close(fd)
    return True


def is_empty(path: str) -> bool:
    """True for a file in which nothing was ever written."""
    return os.stat(path).st_size == 0


@contextlib.contextmanager
def beside(path: str) -> Iterator[None]:
    """Raise StoreOpenFailed for a sidecar that cannot be opened."""
    try:
        yield
    except OSError as error:
        raise _refuse(path, str(error)) from error


def sync(path: str) -> None:
    """Make what is in a file durable that no connection has open."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(path: str, target: str) -> None:
    """Give a file the name of another one of its folder, for good."""
    os.replace(path, target)
    sync_folder(target)


def sync_folder(path: str) -> None:
    """Make a new file's name durable."""
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def identity(path: str) -> Identity | None:
    """Return what tells this file from one put in its place, None when it cannot be found."""
    try:
        return look(os.fsencode(path))[0]
    except OSError:
        return None


def network_filesystem(folder: str, magic: int | None = None) -> str | None:
    """Return the name of the network file system a folder lies on, None on a local one."""
    if magic is None:
        magic = _magic(folder)
    return _NETWORK.get(magic)


def _magic(folder: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)  # struct statfs begins with f_type; statfs(2)
    if not hasattr(libc, "statfs") or os.uname().sysname != "Linux":
        return 0
    if libc.statfs(os.fsencode(folder), buffer) != 0:
        number = ctypes.get_errno()
        raise _refuse(folder, os.strerror(number))
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF


def _check_file(path: str) -> None:
    for name in (path, *(path + suffix for suffix in permissions.SIDECARS)):
        try:
            found = os.lstat(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _refuse(path, error.strerror or str(error)) from error
        if stat.S_ISLNK(found.st_mode):
            raise _refuse(path, f"{name} is a symbolic link")
        if name == path and not stat.S_ISREG(found.st_mode):
            raise _refuse(path, "it is not a regular file")
        if found.st_nlink > 1:
            raise _refuse(path, f"{name} has more than one hard link")


def _refuse(path: str, why: str) -> StoreOpenFailed:
    return StoreOpenFailed(f"cannot open {path}: {why}", operation="open", path=path)
