"""A disk that kills whoever uses it, at the operation that was chosen."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import apsw


@contextlib.contextmanager
def mortal_disk(dies_at: int = 0) -> Iterator[MortalDisk]:
    """Put all databases that this process opens on a disk that ends it.

    Args:
        dies_at: Die with SIGKILL before this operation, counted from 1; never at 0.
    """
    disk = MortalDisk(dies_at)
    try:
        yield disk
    finally:
        apsw.set_default_vfs("unix")
        disk.unregister()


class MortalDisk(apsw.VFS):
    """SQLite's own layer above the files, counting.

    Attributes:
        done: How many writes, syncs, truncations and deletions SQLite has asked for.
    """

    def __init__(self, dies_at: int) -> None:
        super().__init__("mortal", "unix", makedefault=True)
        self._dies_at = dies_at
        self.done = 0

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.meet()
        super().xDelete(filename, syncdir)

    def meet(self) -> None:
        """Count one operation, or end here."""
        self.done += 1
        if self.done == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


class _File(apsw.VFSFile):
    def __init__(
        self, disk: MortalDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.meet()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.meet()
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._disk.meet()
        super().xTruncate(size)
