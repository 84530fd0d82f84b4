"""A disk that loses power and fails: a layer between SQLite and the real files.

What is written goes to the real files at once, and beside them it is worked out what a
power loss would leave. Syncs are noted and not done: nothing here has to outlive the
machine. It sees what SQLite does with databases, journals and WALs, and how a WAL is replaced.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from random import Random

import apsw

from ....store.sqlite.file import paths
from .errors import Kind, error_of
from .file import DiskFile
from .operations import Image, Op
from .write_cache import WriteCache


class Disk(apsw.VFS):
    """Where all databases of this process lie that are opened while it is in use.

        with disk() as here, connect(path) as store:
            store.queue("mail").enqueue(b"hello")
            with here.lose_power(random):
                store.close()
        # The files at path are now what the power loss left.

    Attributes:
        log: All that changed a file, in order; recorded only if asked for.
        done: How many operations of each kind there were, those that failed included.
        met: How many faults were met.
    """

    def __init__(self, name: str, *, recording: bool) -> None:
        super().__init__(name, "unix", makedefault=True)
        self.log: list[Op] = []
        self.done: Counter[str] = Counter()
        self.met = 0
        self._recording = recording
        self._cache = WriteCache()
        self._inodes = 0
        self._open = 0
        self._muted = False
        self._spared = False
        self._fault: _Fault | None = None

    # power

    def images(self, random: Random, most: int) -> Iterator[Image]:
        """Return what a power loss now may leave, at most `most` images and a torn one."""
        return self._cache.images(random, most)

    @contextmanager
    def lose_power(self, random: Random) -> Iterator[Image]:
        """Lose it; close all stores in the block, which changes nothing any more.

        After the block the real files are replaced by those that are left, which are given
        to the block: one of the images, chosen by `random`.
        """
        left = self._cache.image(random)
        with self.killed():
            yield left
        self.replace(left)

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Close stores in the block as if their process had been killed: nothing is changed."""
        self._muted, was = True, self._muted
        try:
            yield
        finally:
            self._muted = was

    def replace(self, image: Image) -> None:
        """Put an image in the place of all the files that this disk has.

        Raises:
            RuntimeError: One of them is still open, and would be mixed up with the new.
        """
        if self._open:
            raise RuntimeError(f"{self._open} files of the disk are still open")
        for path in self._cache.paths():
            for name in (path, path + "-shm"):
                with suppress(FileNotFoundError):
                    os.unlink(name)
        put(image)
        self._cache = WriteCache(image)

    # faults

    def inject(
        self,
        kind: Kind | Collection[Kind],
        nth: int,
        fault: str | Callable[[], None],
        *,
        of: str = "",
        for_ever: bool = False,
    ) -> None:
        """Meet a fault at the nth operation of a kind, or of some, from now on; 1 for the next.

        Args:
            fault: One of ERRORS of the kind it meets, or something to call before it is done.
            of: What the names of the files end with that it is about; "" for all.
            for_ever: At each such operation from there on, until `heal`.
        """
        kinds = (kind,) if isinstance(kind, str) else kind
        self._fault = _Fault(kinds, of, nth, fault, for_ever)

    def heal(self) -> None:
        """Fail no more."""
        self._fault = None

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Have operations in the block neither fail nor be counted: they are the harness's own."""
        self._spared, was = True, self._spared
        try:
            yield
        finally:
            self._spared = was

    # what SQLite calls

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self.meet("open", path)
        return DiskFile(self, name, path, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        if self._muted:
            return
        self.meet("delete", filename)
        super().xDelete(filename, syncdir)
        inode = self._cache.inode(filename)
        if inode is not None:
            self.note(Op("delete", filename, inode, folder=syncdir))

    def replaced(self, path: str, target: str) -> None:
        """Do what the store does to a file of its own: rename it, and sync the folder."""
        if self._muted:
            return
        self.meet("delete", target)
        inode = self._cache.inode(path)
        assert inode is not None
        os.replace(path, target)
        self.note(Op("rename", target, inode, was=path))
        self.meet("sync", target)
        self.note(Op("sync", target, inode, folder=True))

    # what its files call

    def opened(self, path: str, contents: Callable[[], bytes]) -> int:
        """Return the inode of a file that was opened, and perhaps made."""
        self._open += 1
        inode = self._cache.inode(path)
        if inode is None:
            self._inodes += 1
            inode = self._inodes
            if found := contents():
                self._cache.add(path, inode, found)
            else:
                self.note(Op("create", path, inode))
        return inode

    def closed(self) -> None:
        """Take note that one is closed."""
        self._open -= 1

    @property
    def muted(self) -> bool:
        """True while nothing may be changed."""
        return self._muted

    def note(self, op: Op) -> None:
        """Take note of what was done."""
        self._cache.apply(op)
        if self._recording:
            self.log.append(op)

    def meet(self, kind: Kind, path: str) -> None:
        """Count an operation, and fail here when it is time to."""
        if self._spared:
            return
        self.done[kind] += 1
        fault = self._fault
        if fault is None or kind not in fault.kinds or not path.endswith(fault.of):
            return
        fault.left -= 1
        if fault.left > 0:
            return
        if not fault.for_ever:
            self._fault = None
        self.met += 1
        if isinstance(fault.what, str):
            raise error_of(kind, fault.what)
        fault.what()


class _Fault:
    def __init__(
        self,
        kinds: Collection[Kind],
        of: str,
        left: int,
        what: str | Callable[[], None],
        for_ever: bool,
    ) -> None:
        self.kinds = kinds
        self.of = of
        self.left = left
        self.what = what
        self.for_ever = for_ever


@contextmanager
def disk(*, recording: bool = False) -> Iterator[Disk]:
    """Put every database that is opened in the block on a disk of its own."""
    here = Disk("disk", recording=recording)
    replace, paths.replace = paths.replace, here.replaced
    try:
        yield here
    finally:
        paths.replace = replace
        here.heal()
        apsw.set_default_vfs("unix")
        here.unregister()


def put(image: Image) -> None:
    """Write the files of an image."""
    for path, contents in image.items():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, contents)
        finally:
            os.close(fd)
