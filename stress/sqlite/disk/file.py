"""A file of a failing disk, as SQLite uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from .errors import ShortWrite
from .operations import Op

if TYPE_CHECKING:
    from .disk import Disk

_KEPT = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL


class DiskFile(apsw.VFSFile):
    """A file of the disk; what is not here passes through."""

    def __init__(
        self, disk: Disk, name: str | apsw.URIFilename | None, path: str, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._path = path
        kept = flags[0] & _KEPT
        self._inode = disk.opened(self._path, self._contents) if kept else 0
        # With the first sync of a journal SQLite syncs the folder that it was made in.
        self._new = bool(flags[0] & _JOURNALS and flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.meet("read", self._path)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.muted:
            return
        try:
            self._disk.meet("write", self._path)
        except ShortWrite:
            self._write(data[: len(data) // 2], offset)
            raise
        self._write(data, offset)

    def xTruncate(self, newsize: int) -> None:
        if self._disk.muted:
            return
        self._disk.meet("truncate", self._path)
        super().xTruncate(newsize)
        if self._inode:
            self._disk.note(Op("truncate", self._path, self._inode, newsize))

    def xSync(self, flags: int) -> None:
        if self._disk.muted:
            return
        try:
            self._disk.meet("sync", self._path)
        except apsw.Error:
            if self._inode:
                self._disk.note(Op("failed sync", self._path, self._inode))
            raise
        if self._inode:
            self._disk.note(Op("sync", self._path, self._inode, folder=self._new))
            self._new = False

    def xClose(self) -> None:
        super().xClose()
        if self._inode:
            self._inode = 0
            self._disk.closed()

    def _contents(self) -> bytes:
        # Never by another descriptor: closing it would drop all locks on the file.
        size = super().xFileSize()
        return super().xRead(size, 0) if size else b""

    def _write(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        if self._inode:
            self._disk.note(Op("write", self._path, self._inode, offset, bytes(data)))
