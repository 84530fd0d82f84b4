"""The pids that hold locks on a store's files, for messages only.

Read from /proc/locks by device and inode, so that no file is opened. It shows no process
of another pid namespace, and there is none but on Linux: then nobody is named.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Bytes of the -shm file; sqlite.org/walformat.html 2.3.
_WRITE = 120
_READ = range(123, 128)


class Lock(NamedTuple):
    """One lock: whose, "READ" or "WRITE", on which bytes."""

    pid: int
    mode: str
    first: int
    last: float


def readers(path: str) -> list[int]:
    """Return the processes that are in the middle of a read."""
    return _pids(
        lock
        for lock in _held(path + "-shm")
        if lock.mode == "READ" and lock.first <= _READ[-1] and lock.last >= _READ[0]
    )


def writers(path: str) -> tuple[int, ...]:
    """Return the other processes that hold SQLite's write lock, or the gate before it."""
    inside = (
        lock for lock in _held(path + "-shm") if lock.mode == "WRITE" and lock.first == _WRITE
    )
    pids = _pids([*inside, *_held(path + "-gate")])
    return tuple(pid for pid in pids if pid != os.getpid())


def users(path: str) -> list[int]:
    """Return the processes that have the database open."""
    return _pids([*_held(path), *_held(path + "-shm")])


def is_stopped(pid: int) -> bool:
    """True while a signal or a debugger keeps a process from running."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    return False


def said(pids: Sequence[int]) -> str:
    """Return processes in words."""
    if not pids:
        return "a process that the kernel does not name"
    return ("process " if len(pids) == 1 else "processes ") + ", ".join(str(pid) for pid in pids)


def _pids(locks: Iterator[Lock] | list[Lock]) -> list[int]:
    return sorted({lock.pid for lock in locks if lock.pid > 0})


def _held(path: str) -> list[Lock]:
    try:
        file = os.stat(path, follow_symlinks=False)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    found = []
    name = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    # 1: POSIX  ADVISORY  READ 11052 fe:00:2165009 124 124; proc_locks(5). One that only
    # waits has "->" before its type.
    for line in lines:
        parts = line.split()
        if len(parts) == 8 and parts[5] == name:
            with contextlib.suppress(ValueError):
                last = float("inf") if parts[7] == "EOF" else int(parts[7])
                found.append(Lock(int(parts[4]), parts[3], int(parts[6]), last))
    return found
