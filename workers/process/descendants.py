"""Killing the processes that a dead worker had started, before its deliveries are retried.

A process may leave its parent, its group and its session, but by accident it does not change a
resource limit that it inherits. So each process of a pool stores its pid in a limit that the
kernel has not enforced since 2.4 (RLIMIT_LOCKS in setrlimit(2)).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Collection, Iterator

from ...log.log import log

_RLIMIT_LOCKS = 10
_NAME = b"Max file locks"
_BASE = 1 << 50
# A process in an uninterruptible wait dies only when that ends; the pool must not wait for it.
_MOST_SECONDS = 2.0


def mark() -> None:
    """Mark this process, and all that it starts, with its pid, where the kernel allows it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(_RLIMIT_LOCKS)[1]
            resource.setrlimit(_RLIMIT_LOCKS, (_BASE + os.getpid(), hard))


def kill(worker: int, known: Collection[int]) -> None:
    """Kill what a worker had started that has ended, and wait for the end, for 2 s at most.

    These processes are now children of this one, the subreaper; `known` are its other children.
    """
    give_up_at = time.monotonic() + _MOST_SECONDS
    while left := [pid for pid in _below(os.getpid(), set(known)) if _carried(pid) == worker]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > give_up_at:
            log.warning(
                "cannot kill the processes that a worker had started", worker_pid=worker, pids=left
            )
            return
        time.sleep(0.001)


def _below(pid: int, known: set[int]) -> Iterator[int]:
    """Yield the descendants of a process, zombies too, except those known and their descendants."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                for child in map(int, file.read().split()):
                    if child not in known:
                        yield child
                        yield from _below(child, known)


def _carried(pid: int) -> int | None:
    """Return the pid that a live process is marked with; None if it has no mark or is a zombie."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{pid}/stat", "rb") as file:
            if file.read().rpartition(b")")[2].split()[0] in b"ZX":
                return None
        with open(f"/proc/{pid}/limits", "rb") as file:
            for line in file:
                if line.startswith(_NAME):
                    return int(line[len(_NAME) :].split()[0]) - _BASE
    return None
