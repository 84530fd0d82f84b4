"""Reaping orphans: processes that handlers have left behind, now children of the supervisor."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection


class Reaper:
    """Reaps inherited children only: the program may have started children of its own.

    Those of the main thread that existed before are not reaped. Children that other threads
    start are listed under these threads, while orphans become the main thread's
    (find_new_reaper in kernel/exit.c).
    """

    def __init__(self) -> None:
        self._own = _children("thread-self")

    def reap(self, known: Collection[int]) -> None:
        """Reap orphans that have ended and are not `known`; call it in the main thread."""
        mine = _children("thread-self")
        # If a thread ends before a child that it has started, the child becomes this thread's.
        for thread in _threads() - {str(threading.get_native_id())}:
            self._own |= _children(f"self/task/{thread}")
        for pid in mine - self._own - set(known):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _threads() -> set[str]:
    with contextlib.suppress(OSError):
        return set(os.listdir("/proc/self/task"))
    return set()


def _children(thread: str) -> set[int]:
    """Return the children of a thread, zombies included; none if there is no /proc."""
    with contextlib.suppress(OSError), open(f"/proc/{thread}/children") as file:
        return {int(pid) for pid in file.read().split()}
    return set()
