"""A folder that holds so many bytes, for accounts that may not mount a small disk.

The sizes of its files are added up: at each write of SQLite's, and for whoever asks how
much is left.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

_BLOCK = 4096


class Quota(apsw.VFS):
    """All databases of this process lie under it while it is in use."""

    def __init__(self, folder: Path, size: int) -> None:
        super().__init__("quota", "unix", makedefault=True)
        self._folder = folder
        self._size = size

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)

    def left(self) -> int:
        """Return how many bytes are left, in whole blocks."""
        used = 0
        with os.scandir(self._folder) as files:
            for file in files:
                with contextlib.suppress(FileNotFoundError):
                    used += -(-os.lstat(file.path).st_size // _BLOCK) * _BLOCK
        return max(0, self._size - used)

    def fill(self, path: Path) -> None:
        """Let a stranger's file take all that is left."""
        left = self.left()
        with path.open("wb") as file:
            file.truncate(left)


class _File(apsw.VFSFile):
    def __init__(self, quota: Quota, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._quota = quota

    def xWrite(self, data: bytes, offset: int) -> None:
        growth = offset + len(data) - self.xFileSize()
        if growth > 0 and -(-growth // _BLOCK) * _BLOCK > self._quota.left() + _slack(self):
            raise apsw.FullError("the quota is used up")
        super().xWrite(data, offset)


def _slack(file: apsw.VFSFile) -> int:
    """Return how much of its last block a file has not used."""
    return -file.xFileSize() % _BLOCK


@contextlib.contextmanager
def quota(folder: Path, size: int) -> Iterator[Quota]:
    """Have a folder hold no more than `size` bytes, for this process."""
    limit = Quota(folder, size)
    statvfs, fallocate = os.statvfs, os.posix_fallocate

    def told(path: Any) -> os.statvfs_result:
        if os.fspath(path) != str(folder):
            return statvfs(path)
        free = limit.left() // _BLOCK
        facts = (_BLOCK, _BLOCK, size // _BLOCK, free, free, 1000, 1000, 1000, 0, 255)
        return os.statvfs_result(facts)

    def allocate(fd: int, offset: int, length: int) -> None:
        if offset + length - os.fstat(fd).st_size > limit.left():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.truncate(fd, max(offset + length, os.fstat(fd).st_size))

    os.statvfs, os.posix_fallocate = told, allocate
    try:
        yield limit
    finally:
        os.statvfs, os.posix_fallocate = statvfs, fallocate
        apsw.set_default_vfs("unix")
        limit.unregister()
