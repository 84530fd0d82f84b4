"""A small disk for one process: a file system in memory that nobody else sees."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ...machine.namespaces import MOUNTS, call, unshare
from .quota import quota

# sys/mount.h
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2


class Disk(Protocol):
    """A disk of a few megabytes."""

    def left(self) -> int:
        """Return how many bytes are left."""
        ...

    def fill(self, path: Path) -> None:
        """Let a stranger's file take all that is left."""
        ...


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Make a folder a disk of `size` bytes, empty at first.

    Where this account may not mount one, it is a folder with a quota.
    """
    if not may_mount():
        with quota(folder, size) as limit:
            yield limit
        return
    options = f"size={size},mode=0700".encode()
    call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, options)
    try:
        yield _Mounted(folder)
    finally:
        call("umount2", os.fsencode(folder), _MNT_DETACH)


@functools.cache
def may_mount() -> bool:
    """Give this process mounts of its own, which go with it; False when that is not allowed."""
    try:
        unshare(MOUNTS)
        call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError:
        return False
    return True


class _Mounted:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def left(self) -> int:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self, path: Path) -> None:
        with path.open("wb", buffering=0) as file:
            for block in (65536, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(block))
