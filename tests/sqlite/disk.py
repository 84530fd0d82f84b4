"""A disk that counts what it is asked to sync, and fails when told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

# Told what is done ("write", "sync") and to which file; raises what SQLite shall meet.
Fault = Callable[[str, str], None]


class Disk(apsw.VFS):
    """SQLite's own layer above the files, with a fault put in between."""

    def __init__(self) -> None:
        super().__init__("disk", "unix", makedefault=True)
        self.fault: Fault | None = None
        self.done: Counter[str] = Counter()
        self.faults = 0

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)

    def meet(self, action: str, name: str) -> None:
        """Fail here when it is time to."""
        if self.fault is not None:
            try:
                self.fault(action, name)
            except BaseException:
                self.faults += 1
                raise
        self.done[f"{action} {name.rpartition('-')[2] if '-' in name else 'db'}"] += 1

    def fail_once(self, error: Exception, action: str, ending: str) -> None:
        """Raise `error` at the next `action` on a file whose name ends so."""

        def fault(done: str, name: str) -> None:
            if done == action and name.endswith(ending):
                self.fault = None
                raise error

        self.fault = fault

    def fail(self, error: type[Exception], action: str, ending: str) -> None:
        """Raise an error of this type at each `action` on a file whose name ends so."""

        def fault(done: str, name: str) -> None:
            if done == action and name.endswith(ending):
                raise error("the disk failed")

        self.fault = fault

    def heal(self) -> None:
        """Fail no more."""
        self.fault = None


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        full = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._name = full.rpartition("/")[2]

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.meet("write", self._name)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.meet("sync", self._name)
        super().xSync(flags)


@contextmanager
def faulty_disk() -> Iterator[Disk]:
    """Put every database opened in the block on a faulty disk."""
    disk = Disk()
    try:
        yield disk
    finally:
        disk.heal()
        apsw.set_default_vfs("unix")
        disk.unregister()
