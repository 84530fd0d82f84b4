"""A small disk for one process: a file system in memory that nobody else sees."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from .sqlite.quota import quota

# linux/sched.h, sys/mount.h
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
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
    _call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, options)
    try:
        yield _Mounted(folder)
    finally:
        _call("umount2", os.fsencode(folder), _MNT_DETACH)


@functools.cache
def may_mount() -> bool:
    """Give this process mounts of its own, which go with it; False when that is not allowed.

    An account that is not root needs the kernel's leave to be it in a namespace of its own,
    and a process without other threads.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid == 0:
            _call("unshare", _CLONE_NEWNS)
        else:
            _call("unshare", _CLONE_NEWNS | _CLONE_NEWUSER)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
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


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
